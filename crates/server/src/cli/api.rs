//! The API as a command reaches it: the running server's when the data folder is taken, the same routes in this process
//! when it is free. Either way a command is one HTTP request, so that no rule is told twice.

use axum::{Router, body::Body};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use tieline::{Code, Connectors, Error, Result, error::FieldError, id::TenantId, secret::Secret};
use tieline_manifest::{Json, JsonLimits};
use tower::ServiceExt;

use super::{
    output::{Failure, Output},
    remote,
};
use crate::{
    app::App,
    config::Config,
    limits::MAX_LOCAL_ANSWER_BYTES,
    local::{LocalKey, Running},
    router,
    site::Site,
    start::{self, Opened},
};

/// A way to the API.
pub(super) enum Api {
    /// In this process.
    Here(Here),
    /// In the running server.
    There(Running),
}

/// The routes in this process, with what they stand on.
pub(super) struct Here {
    router: Router,
    connectors: Connectors,
    key: Secret<String>,
    // After the router, which uses it.
    _opened: Option<Opened>,
}

/// A problem the API answered with.
pub(super) struct Refusal {
    /// The whole answer.
    pub(super) problem: Json,
    /// Its code.
    pub(super) code: String,
    /// Its sentence.
    pub(super) detail: String,
    /// Its wrong places.
    pub(super) fields: Vec<FieldError>,
}

impl Api {
    /// The way to the API with its data, which is made if there is none.
    pub(super) async fn open(config: &Config, output: Output) -> Result<Self> {
        match start::open(config).await {
            Ok(opened) => {
                opened.notices.iter().for_each(|notice| output.note(notice));
                let site = Site::new(config.public_url.as_ref(), config.listen);
                Here::new(opened.connectors.clone(), opened.tenant, site, Some(opened)).map(Self::Here)
            }
            Err(error) if error.code() == Code::DataFolderLocked => Running::find(&config.data).map(Self::There),
            Err(error) => Err(error),
        }
    }

    /// The same for a command that only looks: where there is no data none is made.
    pub(super) async fn look(config: &Config, output: Output) -> Result<Self> {
        if start::has_data(config) {
            return Self::open(config, output).await;
        }
        let (connectors, notices) = start::scratch(config, None)?;
        notices.iter().for_each(|notice| output.note(notice));
        Here::new(connectors, TenantId::from_bytes([0; 16]), Site::default(), None).map(Self::Here)
    }

    /// What a GET answers. The path is below `/api/v1`.
    pub(super) async fn get(&self, path: &str) -> Result<Json, Failure> {
        self.ask(Method::GET, path, None).await
    }

    /// What a POST answers.
    pub(super) async fn post(&self, path: &str, body: &Json) -> Result<Json, Failure> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Json, Failure> {
        let (key, host) = match self {
            Self::Here(here) => (&here.key, "localhost".to_owned()),
            Self::There(server) => (&server.key, server.address.to_string()),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", router::API))
            .header(header::HOST, host)
            .header(header::AUTHORIZATION, format!("Bearer {}", key.reveal()));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |json| Body::from(json.text().to_owned()));
        let request = request
            .body(body)
            .map_err(|error| Error::internal("a request cannot be built", error))?;
        let response = match self {
            Self::Here(here) => match here.router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Self::There(server) => remote::send(server, request).await?,
        };
        let status = response.status();
        let answer = read(status, response.into_body()).await;
        if let Self::Here(here) = self {
            // Nobody keeps the ledger of a process that ends soon.
            here.connectors.flush_calls().await?;
        }
        answer
    }
}

impl Here {
    fn new(connectors: Connectors, tenant: TenantId, site: Site, opened: Option<Opened>) -> Result<Self> {
        let local = LocalKey::new(&connectors, tenant)?;
        let key = Secret::new(local.text().to_owned());
        let router = App::new(connectors.clone()).with_local_key(local).at(site).router();
        Ok(Self {
            router,
            connectors,
            key,
            _opened: opened,
        })
    }
}

async fn read(status: StatusCode, body: Body) -> Result<Json, Failure> {
    let bytes = Limited::new(body, MAX_LOCAL_ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| Error::new(Code::ServerUnreachable, format!("The answer ended early: {error}.")))?
        .to_bytes();
    if bytes.is_empty() && status.is_success() {
        return Ok(Json::default());
    }
    let limits = JsonLimits {
        bytes: MAX_LOCAL_ANSWER_BYTES,
        ..JsonLimits::default()
    };
    let json = Json::parse_bytes_with(&bytes, &limits).map_err(|_| {
        Error::new(
            Code::ServerUnreachable,
            format!("The answer ({status}) is not Tieline's."),
        )
    })?;
    if status.is_success() {
        Ok(json)
    } else {
        Err(Failure::Refused(Refusal::of(json)))
    }
}

/// The members of a problem that a person reads.
#[derive(Deserialize)]
struct Told {
    code: String,
    detail: String,
    #[serde(default)]
    fields: Vec<Wrong>,
}

#[derive(Deserialize)]
struct Wrong {
    pointer: String,
    message: String,
}

impl Refusal {
    fn of(problem: Json) -> Self {
        let told = problem.into_type::<Told>().unwrap_or_else(|_| Told {
            code: Code::ServerUnreachable.as_str().to_owned(),
            detail: "The answer is not Tieline's.".to_owned(),
            fields: Vec::new(),
        });
        let fields = told.fields.into_iter();
        Self {
            problem,
            code: told.code,
            detail: told.detail,
            fields: fields
                .map(|wrong| FieldError {
                    pointer: wrong.pointer,
                    message: wrong.message,
                })
                .collect(),
        }
    }
}

/// One part of a path, from what somebody typed.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
