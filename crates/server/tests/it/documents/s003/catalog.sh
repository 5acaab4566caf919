# Get catalog
curl http://localhost:8009/v1/catalog
