//! Measures the two networks on labelled pictures: how often the classifier is right, how many faces the detector finds,
//! and what comes out when both work together. Nothing here fits a network (that is `train`) or prints (that is the
//! command line).

pub mod labels;
