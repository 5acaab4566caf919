//! Manifests as other products write them, rewritten to ours, tree to tree. Places in the text are kept, so that what is
//! wrong is found where its author wrote it.

mod build;
pub mod s002;
pub mod s004;
