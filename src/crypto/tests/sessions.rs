//! Two sessions in memory: full and resumed handshakes, early data, and what goes wrong.
