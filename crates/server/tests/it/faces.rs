//! The documents' APIs over the same rows.

mod s001;
mod s003;
