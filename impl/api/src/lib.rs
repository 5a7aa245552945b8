//! HTTP: connections, the versioned router, decoding, policy, views, hijack and websocket.
