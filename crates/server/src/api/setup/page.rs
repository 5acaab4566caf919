//! How the page looks: one form, no script, readable by whatever reads pages aloud.

use tieline::{
    Error,
    error::Retry,
    limits::{MAX_EMAIL_CHARS, MAX_NAME_CHARS, MIN_PASSWORD_CHARS},
    session::Person,
};

use super::{Purpose, Sent};
use crate::{
    page::{Html, Page},
    problem,
};

/// What was typed, without the password.
#[derive(Default)]
pub(super) struct Filled {
    email: String,
    name: String,
}

impl Filled {
    pub(super) fn of(sent: &Sent) -> Self {
        Self {
            email: sent.email.clone(),
            name: sent.name.clone(),
        }
    }
}

/// A field of the form.
struct Field<'a> {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    value: &'a str,
    attributes: &'a [(&'static str, &'a str)],
}

/// The form of a link, again with what is wrong.
pub(super) fn form(purpose: &Purpose, token: &str, filled: &Filled, error: Option<&Error>) -> Page {
    let (title, says, button) = match purpose {
        Purpose::First => (
            "Set up Tieline".to_owned(),
            "You are the first here. This makes your account, and you will be the owner.".to_owned(),
            "Make my account",
        ),
        Purpose::Join { tenant, .. } => (
            format!("Join {tenant}"),
            "Choose a password. If this address has an account here already, enter its password instead.".to_owned(),
            "Join",
        ),
        Purpose::Reset { .. } => (
            "Set a new password".to_owned(),
            "With the new password all sessions end that began with the old one.".to_owned(),
            "Set the password",
        ),
    };
    let page = Page::new(title.clone(), |html| {
        html.tag("main", &[], |html| {
            html.leaf("p", &[("class", "brand")], "Tieline");
            html.leaf("h1", &[], &title);
            html.leaf("p", &[("class", "soft")], &says);
            if let Some(error) = error {
                trouble(html, error);
            }
            html.tag("form", &[("method", "post"), ("action", "setup")], |html| {
                html.void("input", &[("type", "hidden"), ("name", "token"), ("value", token)]);
                fields(html, purpose, filled, error);
                html.leaf("button", &[("type", "submit")], button);
            });
        });
    });
    page.with_form()
}

fn fields(html: &mut Html, purpose: &Purpose, filled: &Filled, error: Option<&Error>) {
    let (chars, shortest) = (MAX_NAME_CHARS.to_string(), MIN_PASSWORD_CHARS.to_string());
    let longest = MAX_EMAIL_CHARS.to_string();
    let mut attributes = vec![
        ("type", "email"),
        ("autocomplete", "username"),
        ("maxlength", longest.as_str()),
    ];
    let address = match purpose {
        Purpose::First => {
            attributes.extend([("required", ""), ("autofocus", "")]);
            &filled.email
        }
        Purpose::Join { email, .. } | Purpose::Reset { email } => {
            attributes.push(("readonly", ""));
            email
        }
    };
    field(
        html,
        error,
        &Field {
            name: "email",
            label: "E-mail address",
            hint: "",
            value: address,
            attributes: &attributes,
        },
    );
    let name = match purpose {
        Purpose::First => Some(&filled.name),
        Purpose::Join { name, .. } if filled.name.is_empty() => Some(name),
        Purpose::Join { .. } => Some(&filled.name),
        Purpose::Reset { .. } => None,
    };
    if let Some(value) = name {
        field(
            html,
            error,
            &Field {
                name: "name",
                label: "Your name",
                hint: "",
                value,
                attributes: &[("autocomplete", "name"), ("maxlength", &chars), ("required", "")],
            },
        );
    }
    field(
        html,
        error,
        &Field {
            name: "password",
            label: "Password",
            hint: "Twelve characters or more. Several random words make a good one.",
            value: "",
            attributes: &[
                ("type", "password"),
                ("autocomplete", "new-password"),
                ("minlength", &shortest),
                ("required", ""),
            ],
        },
    );
}

fn field(html: &mut Html, error: Option<&Error>, field: &Field<'_>) {
    html.leaf("label", &[("for", field.name)], field.label);
    let pointer = format!("/{}", field.name);
    let wrong = error.and_then(|error| error.fields().iter().find(|wrong| wrong.pointer == pointer));
    let (hint, told) = (
        format!("{}-hint", field.name),
        wrong.is_some() || !field.hint.is_empty(),
    );
    let mut attributes = vec![("id", field.name), ("name", field.name)];
    attributes.extend_from_slice(field.attributes);
    if !field.value.is_empty() {
        attributes.push(("value", field.value));
    }
    if told {
        attributes.push(("aria-describedby", &hint));
    }
    if wrong.is_some() {
        attributes.push(("aria-invalid", "true"));
    }
    html.void("input", &attributes);
    if told {
        let (class, text) = match wrong {
            Some(wrong) => ("hint bad", format!("This {}.", wrong.message)),
            None => ("hint", field.hint.to_owned()),
        };
        html.leaf("p", &[("class", class), ("id", &hint)], &text);
    }
}

fn trouble(html: &mut Html, error: &Error) {
    html.tag("div", &[("class", "notice bad"), ("role", "alert")], |html| {
        // Of what is wrong with single fields the fields themselves tell.
        html.text(match error.fields() {
            [] => error.detail(),
            _ => "Something is not right yet: see what is marked below.",
        });
        if let Retry::After(pause) = error.retry_hint() {
            html.text(&format!(" That is in {} seconds.", pause.as_secs().max(1)));
        }
    });
}

/// What is shown of a link that opens nothing.
pub(super) fn invalid(error: &Error) -> Page {
    let page = Page::new("This link is not valid", |html| {
        html.tag("main", &[], |html| {
            html.leaf("p", &[("class", "brand")], "Tieline");
            html.leaf("h1", &[], "This link is not valid");
            html.leaf("p", &[], error.detail());
            html.tag("ul", &[], |html| {
                html.leaf("li", &[], "The link for the first account is told in the terminal at each start of the server, while there is no account.");
                html.leaf("li", &[], "Invitations and links for a new password come from an admin of your tenant, who can make another.");
            });
        });
    });
    page.under(problem::status(error.code()))
}

/// What is shown when all went well.
pub(super) fn done(person: &Person) -> Page {
    Page::new("You are signed in", |html| {
        html.tag("main", &[], |html| {
            html.leaf("p", &[("class", "brand")], "Tieline");
            html.leaf("h1", &[], &format!("Welcome, {}", person.name));
            html.tag("div", &[("class", "notice"), ("role", "status")], |html| {
                html.text(&format!(
                    "You are signed in as {}, in the role {}.",
                    person.email, person.role
                ));
            });
            html.tag("ul", &[], |html| {
                for (href, text) in [("api/v1/session", "Your session"), ("docs", "The API")] {
                    html.tag("li", &[], |html| html.leaf("a", &[("href", href)], text));
                }
            });
        });
    })
}
