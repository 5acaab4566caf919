# Health check
curl http://localhost:8009/health
