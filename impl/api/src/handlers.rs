//! The table of endpoints: which file answers which. An endpoint of the spec without a line here does not compile.

use drydock_spec::EndpointId as E;

use crate::{
    call::Call,
    containers, exec, images,
    reply::{Answered, Reply},
    system,
};

pub(crate) async fn handle(call: Call) -> Answered {
    match call.endpoint {
        E::ContainersAttach => containers::attach::handle(call).await,
        E::ContainersAttachWs => containers::attach_ws::handle(call).await,
        E::ContainersChanges => containers::changes::handle(call).await,
        E::ContainersCopy => containers::copy::handle(call).await,
        E::ContainersCreate => containers::create::handle(call).await,
        E::ContainersDelete => containers::delete::handle(call).await,
        E::ContainersExecCreate => exec::create::handle(call).await,
        E::ContainersExport => containers::export::handle(call).await,
        E::ContainersInspect => containers::inspect::handle(call).await,
        E::ContainersKill => containers::kill::handle(call).await,
        E::ContainersList | E::ContainersPs => containers::list::handle(call).await,
        E::ContainersLogs => containers::logs::handle(call).await,
        E::ContainersPause => containers::pause::handle(call).await,
        E::ContainersRename => containers::rename::handle(call).await,
        E::ContainersResize => containers::resize::handle(call).await,
        E::ContainersRestart => containers::restart::handle(call).await,
        E::ContainersStart => containers::start::handle(call).await,
        E::ContainersStats => containers::stats::handle(call).await,
        E::ContainersStop => containers::stop::handle(call).await,
        E::ContainersTop => containers::top::handle(call).await,
        E::ContainersUnpause => containers::unpause::handle(call).await,
        E::ContainersWait => containers::wait::handle(call).await,
        E::ExecInspect => exec::inspect::handle(call).await,
        E::ExecResize => exec::resize::handle(call).await,
        E::ExecStart => exec::start::handle(call).await,
        E::ImagesCommit => images::commit::handle(call).await,
        E::ImagesCreate => images::create::handle(call).await,
        E::ImagesDelete => images::delete::handle(call).await,
        E::ImagesGet => images::get::handle(call).await,
        E::ImagesGetMany => images::get_many::handle(call).await,
        E::ImagesHistory => images::history::handle(call).await,
        E::ImagesInspect => images::inspect::handle(call).await,
        E::ImagesList => images::list::handle(call).await,
        E::ImagesLoad => images::load::handle(call).await,
        E::ImagesTag => images::tag::handle(call).await,
        E::ImagesViz => Ok(Reply::new("gone")),
        E::SystemAuth => system::auth::handle(call).await,
        E::SystemEvents => system::events::handle(call).await,
        E::SystemInfo => system::info::handle(call).await,
        E::SystemOptions => Ok(Reply::new("answered")),
        E::SystemPing => system::ping::handle(call).await,
        E::SystemVersion => system::version::handle(call).await,
        E::ImagesBuild | E::ImagesPush | E::ImagesSearch => Ok(Reply::unimplemented()),
    }
}
