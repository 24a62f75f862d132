//! The door's logic, without a camera, a network or a pin: [`track`] gives the faces of successive frames
//! their ids, and [`decide`] turns what was seen of each into what the door shows. Both are pure: boxes,
//! probabilities and the time go in. What they count as a judged face is `maskwatch-vision`'s.

pub mod decide;
pub mod track;
