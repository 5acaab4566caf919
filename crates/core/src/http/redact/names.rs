//! Secrets by name. The list is data: `names.txt`.

use std::{collections::HashSet, sync::LazyLock};

static NAMES: LazyLock<Names> = LazyLock::new(|| Names::read(include_str!("names.txt")));

#[derive(Default)]
struct Names {
    is: HashSet<&'static str>,
    lines: HashSet<&'static str>,
    ends: Vec<&'static str>,
    not: Vec<&'static str>,
}

impl Names {
    fn read(text: &'static str) -> Self {
        let mut names = Self::default();
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            match line.split_once(' ').expect("a line of names.txt has two words") {
                ("is", name) => drop(names.is.insert(name)),
                ("line", name) => drop((names.lines.insert(name), names.is.insert(name))),
                ("ends", name) => names.ends.push(name),
                ("not", name) => names.not.push(name),
                (other, _) => panic!("names.txt knows no `{other}`"),
            }
        }
        names
    }
}

/// Whether what stands under this name is a secret, by the name alone: `client_secret`, `X-Api-Key`, `botToken`.
/// Names that only look alike (`token_type`, `max_tokens`, `nextPageToken`) are none.
pub fn is_secret_name(name: &str) -> bool {
    let name = normal(name);
    let ends_with_one = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    NAMES.is.contains(name.as_str()) || (ends_with_one(&NAMES.ends) && !ends_with_one(&NAMES.not))
}

/// Whether a line that begins with this name is secret to its end.
pub(super) fn is_secret_line(name: &str) -> bool {
    NAMES.lines.contains(normal(name).as_str())
}

fn normal(name: &str) -> String {
    let name = name.trim_end_matches(|char: char| char.is_ascii_digit());
    name.chars()
        .filter(|char| char.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_written_in_the_form_names_are_compared_in() {
        let all = NAMES.is.iter().chain(&NAMES.ends).chain(&NAMES.not);
        for name in all {
            assert_eq!(normal(name), **name);
        }
        for not in &NAMES.not {
            assert!(
                NAMES.ends.iter().any(|end| not.ends_with(end)),
                "`not {not}` takes nothing back"
            );
        }
    }

    #[test]
    fn r1_knows_secret_names_however_they_are_written() {
        let names = "password Password db_password DB_PASSWORD smtp.password user[password] password2 pass \
            secret clientSecret client_secret CLIENT-SECRET webhookSecret signing_secret \
            token access_token accessToken refresh_token id_token botToken SLACK_BOT_TOKEN x-auth-token csrfToken \
            apiKey api_key X-API-Key x-api-key hapikey secret_key privateKey aws_secret_access_key \
            encryption_key Ocp-Apim-Subscription-Key authorization Proxy-Authorization Cookie set-cookie \
            code_verifier client_assertion connectionString passphrase otp";
        for name in names.split_whitespace() {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn r5_leaves_look_alikes_readable() {
        let names = "token_type tokenType max_tokens maxTokens total_tokens prompt_tokens token_count token_endpoint \
            tokenizer tokens_used next_page_token nextPageToken page_token startPageToken continuation_token \
            nextSyncToken cost_per_token primary_key foreign_key public_key publicKey sort_key partition_key \
            idempotency_key key keyboard keyword monkey object_key access_key_id private_key_id author authors \
            authority author_id authored_at authentication_method authorization_url authorized auth_type auth \
            oauth_scopes password_policy password_updated_at reset_password passport passport_number passenger \
            compass bypass secretary secret_version secret_name secrets_count session sessions cookie_policy \
            credential_id connectionId signature_algorithm design code status name id pinned basic bearer_format";
        for name in names.split_whitespace() {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
