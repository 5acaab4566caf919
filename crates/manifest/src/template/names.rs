//! What the placeholders of a template mean where it stands.

use std::collections::BTreeMap;

use super::{Origin, Place, Template};
use crate::{
    limits,
    lint::{self, Lints},
    node::Spot,
    property::{Input, Property},
    request::SecretRef,
};

/// The names a template may use.
pub(crate) struct Names<'a> {
    pub(crate) local: Origin,
    /// Field names, and whether they are secret.
    pub(crate) config: &'a BTreeMap<String, bool>,
    /// The endpoint's inputs; nothing outside endpoints.
    pub(crate) inputs: Option<&'a mut Vec<Input>>,
    /// Whether an undeclared input is an error. If not, it becomes a required input of any type.
    pub(crate) strict: bool,
}

impl Names<'_> {
    /// Reads a template and gives its placeholders their meaning.
    pub(crate) fn template(&mut self, spot: &Spot<'_>, lints: &mut Lints) -> Option<Template> {
        let text = spot.scalar()?;
        let template = Template::parse(&text, self.local);
        self.settle(template, spot, lints)
    }

    /// Gives the placeholders of a template their meaning.
    pub(crate) fn settle(
        &mut self,
        template: Result<Template, String>,
        spot: &Spot<'_>,
        lints: &mut Lints,
    ) -> Option<Template> {
        let mut template = match template {
            Ok(template) => template,
            Err(message) => {
                spot.lint(lints, lint::BAD_TEMPLATE, message);
                return None;
            }
        };
        for place in template.places_mut() {
            if let Err(message) = self.settle_place(place) {
                spot.lint(lints, lint::UNKNOWN_NAME, message);
            }
        }
        Some(template)
    }

    fn settle_place(&mut self, place: &mut Place) -> Result<(), String> {
        let secret = match place.origin {
            Origin::Config => self.config_secret(&place.name)?,
            Origin::Input => self.input_secret(&place.name)?,
        };
        if !secret {
            return Ok(());
        }
        if !place.steps.is_empty() {
            return Err(format!("`{}` is a secret text; nothing is inside it", place.name));
        }
        place.secret = Some(match place.origin {
            Origin::Config => SecretRef::Config(place.name.clone()),
            Origin::Input => SecretRef::Input(place.name.clone()),
        });
        Ok(())
    }

    fn config_secret(&self, name: &str) -> Result<bool, String> {
        self.config.get(name).copied().ok_or_else(|| {
            let hint = lint::hint(name, self.config.keys().map(String::as_str));
            format!("no auth field is named `{name}`{hint}")
        })
    }

    fn input_secret(&mut self, name: &str) -> Result<bool, String> {
        let strict = self.strict;
        let Some(inputs) = &mut self.inputs else {
            return Err(format!(
                "`{name}`: inputs are known in endpoints only; name a field of auth"
            ));
        };
        if let Some(input) = inputs.iter().find(|input| input.name == name) {
            return Ok(input.property.secret);
        }
        if strict {
            let hint = lint::hint_then(name, inputs.iter().map(|input| input.name.as_str()));
            return Err(format!(
                "no input is named `{name}`{hint}Inputs that only templates use are declared under `input`"
            ));
        }
        if inputs.len() >= limits::INPUTS {
            return Err(format!("an endpoint has at most {} inputs", limits::INPUTS));
        }
        inputs.push(Input {
            name: name.to_owned(),
            property: Property {
                required: true,
                ..Property::default()
            },
        });
        Ok(false)
    }
}
