//! Declaring how people sign in at a service.
//!
//! ```no_run
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use tieline::{ActionInput, Code, Connector, Error, Json, Result};
//! use tieline::{action::ActionContext, connector::{Account, OAuth}};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Mailchimp {
//!     /// The data center, such as `us6`.
//!     dc: String,
//! }
//!
//! /// Lists the audiences.
//! #[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
//! #[action(connector = "mailchimp", id = "getLists", output = serde_json::Value, effect = "read")]
//! struct GetLists {}
//!
//! async fn get_lists(call: ActionContext<Mailchimp>, _: GetLists) -> Result<serde_json::Value> {
//!     let signed_in = call.oauth().ok_or_else(|| Error::new(Code::ConnectorNotConnected, "Sign in first."))?;
//!     let url = format!("https://{}.api.mailchimp.com/3.0/lists", call.config().dc);
//!     call.http().get(url).bearer(&signed_in.access_token).send().await?.success()?.json()
//! }
//!
//! fn mailchimp() -> Result<Connector> {
//!     let text = |answer: &Json, name: &str| Some(answer.get(name)?.as_str()?.to_owned());
//!     let oauth = OAuth::new("https://login.mailchimp.com/oauth2/authorize", "https://login.mailchimp.com/oauth2/token")
//!         .client("our-client-id", std::env::var("MAILCHIMP_CLIENT_SECRET").unwrap_or_default())
//!         .user_info_url("https://login.mailchimp.com/oauth2/metadata")
//!         .read_account(move |answer| {
//!             Ok(Account {
//!                 id: text(answer, "user_id").unwrap_or_default(),
//!                 name: text(answer, "accountname"),
//!                 ..Account::default()
//!             })
//!         });
//!     Connector::builder("mailchimp")
//!         .config::<Mailchimp>()
//!         .allowed_hosts(["*.api.mailchimp.com"])
//!         .oauth(oauth)
//!         .action(get_lists)
//!         .build()
//! }
//! # mailchimp().unwrap();
//! ```
//!
//! PKCE is on; [`without_pkce`](crate::connector::OAuth::without_pkce) leaves it out for a service that does not know it, and
//! asks for the reason. The client's secret stands in no descriptor and no log.
//!
//! # Signing in
//!
//! This version declares. Starting a sign-in, its callback and the renewal of tokens come in a later one, and until then
//! [`ActionContext::oauth`](crate::action::ActionContext::oauth) is empty.
