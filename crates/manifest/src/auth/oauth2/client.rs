//! What a client tells the service, with slots for its secrets.

use super::OAuth2;
use crate::{
    request::{Encode, Text},
    template::Template,
    values::{FieldProblem, Scope, Values},
};

type Rendered<T> = Result<T, Vec<FieldProblem>>;

impl OAuth2 {
    /// The client's identifier; nothing where none is declared.
    pub fn client_id(&self, values: &Values<'_>) -> Option<Rendered<Text>> {
        Some(rendered(self.client_id.as_ref()?, values, Encode::Raw))
    }

    /// The client's secret, a slot; nothing where none is declared.
    pub fn client_secret(&self, values: &Values<'_>) -> Option<Rendered<Text>> {
        Some(rendered(self.client_secret.as_ref()?, values, Encode::Raw))
    }

    /// Further parameters of the sign-in address, as they are.
    pub fn authorize_params(&self, values: &Values<'_>) -> Rendered<Vec<(String, String)>> {
        let write = |(name, template): &(String, Template)| {
            let text = rendered(template, values, Encode::Raw)?;
            // A secret has no place in them, which was judged when they were read.
            Ok((name.clone(), text.to_string()))
        };
        self.authorize_params.iter().map(write).collect()
    }

    /// Further parameters of a token request, their values encoded for a form.
    pub fn token_params(&self, values: &Values<'_>) -> Rendered<Vec<(String, Text)>> {
        let write =
            |(name, template): &(String, Template)| Ok((name.clone(), rendered(template, values, Encode::Form)?));
        self.token_params.iter().map(write).collect()
    }
}

fn rendered(template: &Template, values: &Values<'_>, encode: Encode) -> Rendered<Text> {
    let mut text = Text::default();
    let written = template.write(&Scope::new(values, &[]), encode, &mut text);
    written.map(|()| text).map_err(|problem| vec![problem])
}
