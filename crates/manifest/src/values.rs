//! What a request is rendered from, and what was wrong with it.

use std::{borrow::Cow, cell::Cell, collections::BTreeSet};

use crate::{
    auth::Auth,
    json::Tree,
    limits,
    property::Input,
    request::SecretRef,
    template::{Origin, Place},
};

/// What a request is rendered from. No secret is among it: only which ones will be there.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// The call's input: an object without its secret inputs.
    pub input: &'a Tree,
    /// The connection's public fields: an object.
    pub config: &'a Tree,
    /// The auth method the connection uses.
    pub auth: Option<&'a Auth>,
    /// The secrets that can be filled in later.
    pub secrets: &'a BTreeSet<SecretRef>,
}

/// A wrong place in an input or a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// JSON pointer (RFC 6901) into the input, or into the configuration where that is what is checked. Empty when
    /// the trouble is elsewhere; the message then says where.
    pub pointer: String,
    /// What is wrong and how to mend it. Never holds a value.
    pub message: String,
}

impl FieldProblem {
    pub(crate) fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
        }
    }

    /// A problem with the value that a placeholder names.
    pub(crate) fn at(place: &Place, message: &str) -> Self {
        match place.origin {
            Origin::Input => Self::new(place.pointer(), message),
            Origin::Config => Self::new("", format!("the connection's field `{}`: {message}", place.name())),
        }
    }

    /// A placeholder has no value.
    pub(crate) fn missing(place: &Place) -> Self {
        match place.origin {
            Origin::Input => Self::new(place.pointer(), "a value is needed here"),
            Origin::Config => Self::new(
                "",
                format!(
                    "the connection has no field `{}`; connect it again with this field",
                    place.name()
                ),
            ),
        }
    }
}

/// One part of a JSON pointer.
pub(crate) fn pointer_token(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        Cow::Owned(name.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(name)
    }
}

/// Values with the declared defaults behind them, and how much of them may still be written.
pub(crate) struct Scope<'a> {
    pub(crate) values: &'a Values<'a>,
    inputs: &'a [Input],
    budget: Cell<usize>,
}

/// What a placeholder stands for.
pub(crate) enum Found<'a> {
    Value(&'a Tree),
    Secret(&'a SecretRef),
    Nothing,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(values: &'a Values<'a>, inputs: &'a [Input]) -> Self {
        Self {
            values,
            inputs,
            budget: Cell::new(limits::REQUEST_BYTES),
        }
    }

    /// Asks to write so many bytes.
    pub(crate) fn spend(&self, bytes: usize) -> Result<(), FieldProblem> {
        let left = self.budget.get().checked_sub(bytes).ok_or_else(|| {
            let message = format!("the request would be larger than {} bytes", limits::REQUEST_BYTES);
            FieldProblem::new("", message)
        })?;
        self.budget.set(left);
        Ok(())
    }

    pub(crate) fn look(&self, place: &'a Place) -> Found<'a> {
        if let Some(secret) = &place.secret {
            return if self.values.secrets.contains(secret) {
                Found::Secret(secret)
            } else {
                Found::Nothing
            };
        }
        let object = match place.origin {
            Origin::Input => self.values.input,
            Origin::Config => self.values.config,
        };
        let top = object.get(place.name()).or_else(|| self.default_of(place));
        match top.and_then(|tree| place.inside(tree)) {
            None | Some(Tree::Null) => Found::Nothing,
            Some(tree) => Found::Value(tree),
        }
    }

    /// Like [`Self::look`], but a null that was given is a value.
    pub(crate) fn look_or_null(&self, place: &'a Place) -> Found<'a> {
        let given_null = place.secret.is_none()
            && place.origin == Origin::Input
            && self
                .values
                .input
                .get(place.name())
                .and_then(|tree| place.inside(tree))
                .is_some_and(Tree::is_null);
        if given_null {
            Found::Value(&Tree::Null)
        } else {
            self.look(place)
        }
    }

    fn default_of(&self, place: &Place) -> Option<&'a Tree> {
        if place.origin != Origin::Input {
            return None;
        }
        let input = self.inputs.iter().find(|input| input.name == place.name())?;
        self.fallback(input)
    }

    /// What stands in for an input that is not given.
    pub(crate) fn fallback(&self, input: &'a Input) -> Option<&'a Tree> {
        let of_connection = || self.values.config.get(input.property.from_config.as_ref()?);
        input.property.default.as_ref().or_else(of_connection)
    }
}

/// A value inside a longer text: arrays and objects as JSON.
pub(crate) fn as_text(tree: &Tree) -> Cow<'_, str> {
    match tree {
        Tree::String(text) => Cow::Borrowed(text),
        Tree::Number(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_text()),
    }
}
