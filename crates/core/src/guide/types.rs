//! What the compiler knows.
//!
//! Connectors may come from a file or a database row at any time, so their names are texts, checked when they are used. The
//! types are where the knowledge is: in the input of an action, which names its connector, its action and its output.
//!
//! | asked elsewhere for | here |
//! |---|---|
//! | the keys of all connectors | [`ActionInput::CONNECTOR`](crate::ActionInput::CONNECTOR) of an input; at run time [`Registry::list`](crate::registry::Registry::list) |
//! | the kinds of scopes | an enum of yours, as below |
//! | the type of a scope's operations | [`Scoped`](crate::connectors::Scoped) |
//! | the configuration of a connector | the struct given to `.config::<C>()` |
//! | the keys of its actions | [`ActionInput::ACTION`](crate::ActionInput::ACTION) of an input; at run time the [descriptor](crate::connector::ConnectorDescriptor)'s `actions` |
//! | what an action answers | [`ActionInput::Output`](crate::ActionInput::Output) |
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use tieline::{ActionInput, Connectors, Result, connectors::Scoped};
//! # use serde_json::json;
//! # use tieline::{Connector, Error, MasterKey, MemoryStore, ScopeRule, action::ActionContext, clock::SystemRandom};
//!
//! /// Tells the time.
//! #[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
//! #[action(connector = "clock", id = "now", output = Now, effect = "read")]
//! struct Tell {}
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Now {
//!     hour: u8,
//! }
//!
//! /// Works with any action of any connector, and answers that action's type.
//! async fn twice<I: ActionInput + Clone>(org: &Scoped, input: I) -> Result<[I::Output; 2]> {
//!     Ok([org.call(input.clone()).await?, org.call(input).await?])
//! }
//! # impl Clone for Tell { fn clone(&self) -> Self { Tell {} } }
//!
//! /// Which kinds of scope this program has: a kind that there is not does not compile.
//! enum Owner<'a> {
//!     Organization(&'a str),
//!     User(&'a str),
//!     System,
//! }
//!
//! fn owned_by(connectors: &Connectors, owner: Owner<'_>) -> Result<Scoped> {
//!     match owner {
//!         Owner::Organization(id) => connectors.scope("organization", id),
//!         Owner::User(id) => connectors.scope("user", id),
//!         Owner::System => connectors.scope("system", ""),
//!     }
//! }
//!
//! assert_eq!((Tell::CONNECTOR, Tell::ACTION), ("clock", "now"));
//! # #[derive(Deserialize, JsonSchema)]
//! # struct Nothing {}
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn run() -> Result<()> {
//! # let tell = |_: ActionContext<Nothing>, _: Tell| async { Ok::<_, Error>(Now { hour: 7 }) };
//! # let connectors = Connectors::builder()
//! #     .store(MemoryStore::new())
//! #     .key(MasterKey::generate(&SystemRandom)?)
//! #     .scope("organization", ScopeRule::Required)
//! #     .scope("user", ScopeRule::Required)
//! #     .scope("system", ScopeRule::Optional)
//! #     .connector(Connector::builder("clock").config::<Nothing>().action(tell).build()?)
//! #     .build()?;
//! # for owner in [Owner::Organization("org_1"), Owner::User("u_1"), Owner::System] {
//! #     let scoped = owned_by(&connectors, owner)?;
//! #     scoped.connect("clock", json!({})).await?;
//! #     assert!(twice(&scoped, Tell {}).await?.iter().all(|now| now.hour == 7));
//! # }
//! # Ok(())
//! # }
//! # run().unwrap();
//! ```
//!
//! A field that there is not, one that is missing, one of another type, an output read as another: none of these compiles.
//! [`ActionInput`](crate::ActionInput) shows each.
