//! Declares actions in Rust. Use it through `tieline`, which re-exports it.

mod action;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `tieline::ActionInput`: the type is the input of one action of one connector.
///
/// `#[action(connector = "acme", id = "sendMessage", output = Sent, effect = "write")]` names the connector, the action,
/// the type of its output, and what it does outside (`read`, `write` or `destroy`). Optional are `name = "…"`, what
/// people call it, which follows from the id unless given; `idempotent`, where a repeat has the effect of one call; and
/// `no_connection`, where it runs with nothing but its input too.
#[proc_macro_derive(ActionInput, attributes(action))]
pub fn derive_action_input(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    action::implement(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
