//! Numbers for whoever watches the server.

use tieline::Result;

use crate::{app::App, metrics, route::Text};

pub(crate) async fn read(app: App) -> Result<Text> {
    Ok(Text {
        content_type: metrics::TEXT,
        text: metrics::write(&app),
    })
}
