//! What training and measuring of maskwatch's networks have in common below them: labelled boxes, and
//! pictures that are made by chance from labelled ones. Nothing here runs on the board.
//!
//! [`labels`] reads tables of labelled boxes. [`random`] makes runs repeatable on any number of threads.
//! [`augment`] cuts faces out and changes the crops, [`webcam`] shows a face as a cheap webcam does,
//! [`drawn`] puts masks and other things on bare faces, [`doorway`] draws people who come to a door;
//! [`draw`] makes the free pictures of masked faces.

pub mod augment;
pub mod doorway;
pub mod draw;
pub mod drawn;
pub mod labels;
pub mod random;
pub mod webcam;
