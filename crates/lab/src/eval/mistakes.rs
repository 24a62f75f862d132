//! The wrong answers of a measurement as a CSV file, one line per face.

use crate::data::labels::Label;
use maskwatch::geometry::Rect;
use std::io::Write;

/// One wrong answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    /// The picture, relative to the folder of images.
    pub image: String,
    /// The annotated box, or the detection's where nothing is annotated.
    pub rect: Rect,
    /// What is annotated; nothing for a false positive.
    pub label: Option<Label>,
    /// The probability of `mask`, where the classifier was asked.
    pub p_mask: Option<f32>,
    /// What went wrong, in words.
    pub problem: &'static str,
}

/// Writes `mistakes` as CSV with the columns `image,x,y,w,h,label,p_mask,problem`.
///
/// # Errors
/// `writer` refuses.
pub fn write(mistakes: &[Mistake], writer: impl Write) -> std::io::Result<()> {
    let mut table = csv::Writer::from_writer(writer);
    table.write_record(["image", "x", "y", "w", "h", "label", "p_mask", "problem"])?;
    for mistake in mistakes {
        let Rect { x, y, w, h } = mistake.rect;
        let [x, y, w, h] = [x, y, w, h].map(|value| format!("{value:.1}"));
        let label = mistake.label.map(Label::name).unwrap_or_default();
        let p_mask = mistake.p_mask.map(|p| format!("{p:.4}")).unwrap_or_default();
        table.write_record([&mistake.image, &x, &y, &w, &h, label, &p_mask, mistake.problem])?;
    }
    table.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_mistake() {
        let mut bytes = Vec::new();
        let face = Mistake {
            image: "a, b.jpg".into(),
            rect: Rect::new(1.0, 2.5, 3.0, 4.0),
            label: Some(Label::NoMask),
            p_mask: Some(0.75),
            problem: "called mask",
        };
        let ghost = Mistake {
            label: None,
            p_mask: None,
            image: "c.jpg".into(),
            problem: "false positive",
            ..face.clone()
        };
        write(&[face, ghost], &mut bytes).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "image,x,y,w,h,label,p_mask,problem\n\
             \"a, b.jpg\",1.0,2.5,3.0,4.0,no_mask,0.7500,called mask\n\
             c.jpg,1.0,2.5,3.0,4.0,,,false positive\n"
        );
    }
}
