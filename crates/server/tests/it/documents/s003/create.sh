# Create test connector (with auth)
curl -X POST http://localhost:8009/v1/connectors \
  -H "Authorization: Bearer <token>" \
  -H "Content-Type: application/json" \
  -d '{
    "connector_type": "stripe",
    "display_name": "Test Stripe",
    "config": {
      "api_key": "sk_test_..."
    }
  }'
