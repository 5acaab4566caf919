# Create a test connector
curl -X POST https://your-domain.com/api/v1/connectors \
  -H "Authorization: Bearer sk_xxxxx" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "Test Slack Connector",
    "type": "slack",
    "credentialId": "cred_123"
  }'
