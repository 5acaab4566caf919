//! A browser for tests: it keeps cookies, follows redirects, fills forms in, and stops where it is sent back to.

use std::collections::BTreeMap;

use tieline_manifest::request::{Body, Request, Text};
use url::{Url, form_urlencoded};

use crate::lab::Lab;

/// More than any sign-in has.
const HOPS: usize = 20;

pub(super) struct Browser {
    lab: Lab,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(super) fn new() -> Self {
        Self {
            lab: Lab::new(),
            cookies: BTreeMap::new(),
        }
    }

    /// Signs in wherever it is asked to, until it is sent to `back`: answers the query that it comes with.
    pub(super) async fn sign_in(&mut self, url: &str, back: &str) -> String {
        let (mut url, mut form) = (Url::parse(url).unwrap(), None);
        for _ in 0..HOPS {
            if url.as_str().starts_with(back) {
                return url.query().unwrap_or_default().to_owned();
            }
            let (location, page) = self.ask(&url, form.take()).await;
            match location {
                Some(location) => url = url.join(&location).unwrap(),
                None => {
                    let (action, fields) = fill_in(&page);
                    url = url.join(&action).unwrap();
                    form = Some(fields);
                }
            }
        }
        panic!("the sign-in did not end, at {url}");
    }

    async fn ask(&mut self, url: &Url, form: Option<String>) -> (Option<String>, String) {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = Request {
            method: if form.is_some() { "POST" } else { "GET" }.to_owned(),
            url: Text::literal(url.as_str()),
            headers: vec![("cookie".to_owned(), Text::literal(cookies.join("; ")))],
            body: form.map(|form| Body {
                content_type: "application/x-www-form-urlencoded".to_owned(),
                text: Text::literal(form),
            }),
        };
        let answer = self.lab.send(&request).await.unwrap();
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').unwrap();
            match value {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let location = answer
            .headers
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status.as_u16();
        let page = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap();
        assert!(status < 400, "HTTP {status} at {url}: {page}");
        (location, page)
    }
}

/// The page's form: where it goes, and its fields with a name and a password.
fn fill_in(page: &str) -> (String, String) {
    let action = attribute(page.split("<form").nth(1).expect("a form"), "action").expect("it goes somewhere");
    let mut fields = form_urlencoded::Serializer::new(String::new());
    for input in page.split("<input").skip(1) {
        let tag = input.split('>').next().unwrap_or_default();
        if let Some(name) = attribute(tag, "name") {
            fields.append_pair(&name, &attribute(tag, "value").unwrap_or_else(|| "ada".to_owned()));
        }
    }
    (action, fields.finish())
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    let value = rest.split('"').next()?;
    Some(value.replace("&amp;", "&"))
}
