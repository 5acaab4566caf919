//! The workflow platform's API, below `/api/v1`. Its connectors are our connections, under a second name. Its credentials
//! and its calls of actions are ours at the same addresses: what it asks for there is part of our own contract.

pub(crate) mod connector;
