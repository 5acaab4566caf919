//! The declaration of an action, read from its attribute.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Error, Ident, LitStr, Result, Type, meta::ParseNestedMeta};

/// What the attribute says.
#[derive(Default)]
struct Declared {
    connector: Option<LitStr>,
    id: Option<LitStr>,
    name: Option<LitStr>,
    output: Option<Type>,
    effect: Option<LitStr>,
    idempotent: bool,
    no_connection: bool,
}

impl Declared {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let word = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        match word.as_str() {
            "connector" => self.connector = Some(meta.value()?.parse()?),
            "id" => self.id = Some(meta.value()?.parse()?),
            "name" => self.name = Some(meta.value()?.parse()?),
            "output" => self.output = Some(meta.value()?.parse()?),
            "effect" => self.effect = Some(meta.value()?.parse()?),
            "idempotent" => self.idempotent = true,
            "no_connection" => self.no_connection = true,
            _ => {
                let known = "connector, id, name, output, effect, idempotent and no_connection";
                return Err(meta.error(format!("there is no such word; there are {known}")));
            }
        }
        Ok(())
    }
}

pub(crate) fn implement(input: &DeriveInput) -> Result<TokenStream> {
    let mut declared = Declared::default();
    let attribute = input.attrs.iter().find(|attribute| attribute.path().is_ident("action"));
    let attribute = attribute.ok_or_else(|| {
        let form = "#[action(connector = \"acme\", id = \"sendMessage\", output = Sent, effect = \"write\")]";
        Error::new(Span::call_site(), format!("say which action it is: `{form}`"))
    })?;
    attribute.parse_nested_meta(|meta| declared.read(&meta))?;
    let missing = |word: &str| Error::new_spanned(attribute, format!("`{word} = …` is missing"));
    let connector = declared.connector.ok_or_else(|| missing("connector"))?;
    let id = declared.id.ok_or_else(|| missing("id"))?;
    let output = declared.output.ok_or_else(|| missing("output"))?;
    let effect = effect(&declared.effect.ok_or_else(|| missing("effect"))?)?;
    let name = declared.name.map_or_else(|| in_words(&id.value()), |name| name.value());
    let (idempotent, requires_connection) = (declared.idempotent, !declared.no_connection);
    let (own, (generics, arguments, bounds)) = (&input.ident, input.generics.split_for_impl());
    Ok(quote! {
        impl #generics ::tieline::ActionInput for #own #arguments #bounds {
            type Output = #output;
            const CONNECTOR: &'static str = #connector;
            const ACTION: &'static str = #id;
            const NAME: &'static str = #name;
            const EFFECT: ::tieline::Effect = #effect;
            const IDEMPOTENT: bool = #idempotent;
            const REQUIRES_CONNECTION: bool = #requires_connection;
        }
    })
}

fn effect(word: &LitStr) -> Result<TokenStream> {
    Ok(match word.value().as_str() {
        "read" => quote!(::tieline::Effect::Read),
        "write" => quote!(::tieline::Effect::Write),
        "destroy" => quote!(::tieline::Effect::Destroy),
        _ => return Err(Error::new_spanned(word, "an effect is `read`, `write` or `destroy`")),
    })
}

/// `sendMessage`, `send_message` and `send-message` are "Send message".
fn in_words(id: &str) -> String {
    let mut words = String::new();
    for letter in id.chars() {
        match letter {
            '_' | '-' | '.' => words.push(' '),
            letter if letter.is_uppercase() && !words.is_empty() => {
                words.push(' ');
                words.extend(letter.to_lowercase());
            }
            letter if words.is_empty() => words.extend(letter.to_uppercase()),
            letter => words.push(letter),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn an_id_in_words() {
        for id in ["sendMessage", "send_message", "send-message"] {
            assert_eq!(in_words(id), "Send message");
        }
    }
}
