# Create a test credential
curl -X POST https://your-domain.com/api/v1/credentials \
  -H "Authorization: Bearer sk_xxxxx" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "Test Slack",
    "type": "oauth",
    "provider": "slack",
    "data": {
      "bot_token": "xoxb-test"
    }
  }'
