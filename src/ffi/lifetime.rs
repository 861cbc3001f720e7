//! Nodes as C callers hold them.

/// A node: our end of all connections, with its sockets.
pub struct channeler_node {
    x: u32,
}
