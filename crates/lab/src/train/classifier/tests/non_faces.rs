//! A run that learns pictures without a face beside faces.

use super::*;

#[test]
fn a_run_learns_what_is_no_face() {
    let folder = portrait();
    std::fs::create_dir(folder.path().join("negatives")).unwrap();
    let mut table = "image,group,split,source,licence\n".to_owned();
    for number in 0..20u8 {
        let stripes =
            RgbImage::from_fn(96, 96, |x, y| Rgb([(x * 7 + u32::from(number) * 9) as u8, y as u8, 200]));
        let name = format!("stripes-{number}.png");
        stripes.save(folder.path().join("negatives").join(&name)).unwrap();
        table += &format!("{name},object,train,drawn,none\n");
    }
    std::fs::write(folder.path().join("negatives.csv"), table).unwrap();
    let heads = folder.path().join("heads.csv");
    let rows: String = (0..12).map(|copy| format!("astronaut-{copy}.jpg,0,0,60,60,hidden\n")).collect();
    std::fs::write(&heads, format!("image,x,y,w,h,kind\n{rows}")).unwrap();
    let settings = ClassifierSettings {
        batch: 16,
        length: 12,
        every: 6,
        learning_rate: 2e-3,
        non_faces: 0.4,
        heads: Some(heads),
        ..small(Depth::From(17))
    };
    let report = fit(folder.path(), &settings, &Session::new(&folder.path().join("run"))).unwrap().unwrap();
    let weights = Weights::load(&report.weights).unwrap();
    assert!(weights.metadata["presence_scaling"].starts_with("person slope"), "{:?}", weights.metadata);
    assert!(weights.metadata["non_faces"].starts_with("[[11,"), "{}", weights.metadata["non_faces"]);
    let classifier = Classifier::new(&weights, Input::Auto).unwrap();
    let person = |picture: &Path, rect: Rect| {
        let picture = crate::data::dataset::open_picture(picture).unwrap();
        classifier.look(&picture, &[rect]).unwrap()[0].presence.person
    };
    let face = person(&folder.path().join("images/astronaut-0.jpg"), Rect::new(183.0, 68.0, 85.0, 110.0));
    let stripes = person(&folder.path().join("negatives/stripes-1.png"), Rect::new(10.0, 10.0, 70.0, 70.0));
    assert!(face > stripes + 0.1, "{face} {stripes}");
}
