//! `POST /containers/{container}/resize`.

use drydock_engine::Resize;

use crate::reply::Refusal;
use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let (height, width) = size(&call)?;
    call.api
        .0
        .engine
        .resize(Resize { target: call.target(), height, width })
        .await
        .map_err(|error| call.refuse(error))?;
    Ok(Reply::new("resized"))
}

/// `h` and `w`, both needed.
pub(crate) fn size(call: &Call) -> Result<(u16, u16), Refusal> {
    let side = |name| {
        let value = call
            .strict(name, "size-malformed")?
            .ok_or_else(|| Box::new(Reply::new("size-malformed").with("size", "")))?;
        // As the kernel takes it: sixteen bits.
        Ok::<_, Refusal>((value & 0xffff) as u16)
    };
    Ok((side("h")?, side("w")?))
}
