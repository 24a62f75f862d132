//! A frame as letters: where faces would count, and where they are. No pixel of it is shown. Pure.

use crate::decide::Rules;
use crate::geometry::Rect;
use crate::vision::zones::Zones;

/// A cell of a terminal is about twice as high as it is wide.
const CELL: f32 = 2.0;

/// One face, and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AimedFace {
    /// Where it is, in pixels of the frame.
    pub(super) rect: Rect,
    /// The gate that stops it, if one does.
    pub(super) stopped: Option<String>,
    /// Probability of a mask, where it was asked.
    pub(super) mask: Option<f32>,
}

/// What counts at this door.
#[derive(Debug, Clone)]
pub(super) struct Standards {
    pub(super) rules: Rules,
    pub(super) zones: Zones,
}

impl Standards {
    /// What becomes of a face, with the letter that draws it.
    fn fate(&self, face: &AimedFace, frame: (u32, u32)) -> (char, String) {
        let side = face.rect.w.min(face.rect.h);
        if !self.zones.count(&face.rect, frame) {
            return ('.', "outside of what counts".into());
        }
        if side < self.rules.ignore_below.pixels(frame.0) {
            return ('.', "too far away: ignored".into());
        }
        if side < self.rules.min_face_side {
            return ('+', "too far away to be judged: asked to come closer".into());
        }
        match (&face.stopped, face.mask) {
            (Some(gate), _) => ('+', format!("cannot be judged: {gate}")),
            (None, Some(mask)) => ('#', format!("judged: mask {:.0} %", 100.0 * mask)),
            (None, None) => ('#', "large enough to be judged".into()),
        }
    }

    /// Up to which distance faces are judged with a usual lens, in metres: there a face is an eighth of the
    /// frame's width at one metre.
    fn reach(&self, frame: (u32, u32)) -> f32 {
        frame.0 as f32 / 8.0 / self.rules.min_face_side
    }

    /// The frame with its faces, in lines of at most `columns` letters and so many that `rows` are not
    /// exceeded; then a line for each face.
    pub(super) fn draw(
        &self,
        faces: &[AimedFace],
        frame: (u32, u32),
        (columns, rows): (usize, usize),
    ) -> Vec<String> {
        let (width, height) = (frame.0 as f32, frame.1 as f32);
        let beside = 3 + faces.len().min(4);
        let most_rows = rows.saturating_sub(beside + 2).max(4);
        let across = columns.saturating_sub(2).clamp(8, (most_rows as f32 * CELL * width / height) as usize);
        let down = ((across as f32 * height / width / CELL) as usize).max(2);
        let mut cells = vec![vec![' '; across]; down];
        let point = |x: usize, y: usize| {
            ((x as f32 + 0.5) * width / across as f32, (y as f32 + 0.5) * height / down as f32)
        };
        for (y, row) in cells.iter_mut().enumerate() {
            for (x, cell) in row.iter_mut().enumerate() {
                let (left, top) = point(x, y);
                let side = self.rules.min_face_side;
                let here = Rect::new(left - side / 2.0, top - side / 2.0, side, side);
                if !self.zones.count(&here, frame) {
                    *cell = '░';
                }
            }
        }
        for face in faces {
            let (letter, _) = self.fate(face, frame);
            let Rect { x, y, w, h } = face.rect;
            let column = |at: f32| ((at * across as f32 / width).max(0.0) as usize).min(across - 1);
            let row = |at: f32| ((at * down as f32 / height).max(0.0) as usize).min(down - 1);
            for line in &mut cells[row(y)..=row(y + h)] {
                line[column(x)..=column(x + w)].fill(letter);
            }
        }
        let border = "─".repeat(across);
        let mut lines = vec![format!("┌{border}┐")];
        lines.extend(cells.into_iter().map(|row| format!("│{}│", row.into_iter().collect::<String>())));
        lines.push(format!("└{border}┘"));
        lines.push(format!(
            "{}×{}; judged from {:.0} px: up to {:.1} m with a usual lens",
            frame.0,
            frame.1,
            self.rules.min_face_side,
            self.reach(frame)
        ));
        lines.extend(self.tell(faces, frame));
        lines
    }

    /// A line for each face, the largest first.
    pub(super) fn tell(&self, faces: &[AimedFace], frame: (u32, u32)) -> Vec<String> {
        let mut largest: Vec<&AimedFace> = faces.iter().collect();
        largest.sort_by(|a, b| b.rect.w.total_cmp(&a.rect.w));
        let line = |face: &AimedFace| {
            let (letter, fate) = self.fate(face, frame);
            let share = 100.0 * face.rect.w / frame.0 as f32;
            format!("{letter} {:.0} px, {share:.1} % of the width: {fate}", face.rect.w.min(face.rect.h))
        };
        largest.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use proptest::prelude::*;

    const FRAME: (u32, u32) = (640, 480);

    fn standards(text: &str) -> Standards {
        let config = Config::parse(text, "door.toml").unwrap();
        Standards { rules: config.decision, zones: config.zones }
    }

    fn face(x: f32, side: f32) -> AimedFace {
        AimedFace { rect: Rect::new(x, 100.0, side, side), stopped: None, mask: None }
    }

    #[test]
    fn each_face_says_what_becomes_of_it() {
        let door = standards("");
        let turned = AimedFace { stopped: Some("yaw".into()), ..face(200.0, 60.0) };
        let judged = AimedFace { mask: Some(0.02), ..face(300.0, 80.0) };
        let told = door.tell(&[face(0.0, 10.0), face(50.0, 18.0), turned, judged], FRAME);
        assert_eq!(
            told,
            [
                "# 80 px, 12.5 % of the width: judged: mask 2 %",
                "+ 60 px, 9.4 % of the width: cannot be judged: yaw",
                "+ 18 px, 2.8 % of the width: too far away to be judged: asked to come closer",
                ". 10 px, 1.6 % of the width: too far away: ignored",
            ]
        );
    }

    #[test]
    fn the_frame_shows_faces_and_what_does_not_count() {
        let door = standards("[zones.left]\npoints = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]\n");
        let lines = door.draw(&[face(0.0, 64.0), face(500.0, 64.0)], FRAME, (42, 24));
        let map = &lines[1..lines.len() - 4];
        assert!(map.iter().all(|line| line.chars().count() == 42), "{lines:#?}");
        assert!(map.iter().any(|line| line.contains("####")), "{lines:#?}");
        assert!(map.iter().all(|line| line.contains("░")), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("outside of what counts")), "{lines:#?}");
    }

    proptest! {
        /// Whatever the face and the terminal: no panic, no line that is too long, no more lines than there
        /// is room for.
        #[test]
        fn it_fits(x in -2000f32..2000.0, y in -2000f32..2000.0, w in 0f32..3000.0, columns in 0usize..300, rows in 0usize..100) {
            let face = AimedFace { rect: Rect::new(x, y, w, w), stopped: None, mask: None };
            let lines = standards("").draw(&[face], FRAME, (columns, rows));
            let map = lines.iter().filter(|line| line.starts_with(['│', '┌', '└']));
            prop_assert!(map.clone().all(|line| line.chars().count() <= columns.max(10)));
            prop_assert!(lines.len() <= rows.max(12), "{} {rows}", lines.len());
        }
    }
}
