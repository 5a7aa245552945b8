//! `GET /images/get?names=…`: an archive of several.

use crate::{call::Call, images::get::save, reply::Answered};

pub(crate) async fn handle(call: Call) -> Answered {
    let names = call.query.all("names").map(str::to_owned).collect();
    save(&call, names).await
}
