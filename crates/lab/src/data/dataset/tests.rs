//! Folders that become data sets, and those that cannot.

use super::*;

/// Tables in a folder; pictures are not opened when tables are read.
pub(crate) fn tables() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut faces = "image,x,y,w,h,label,split,source\n".to_owned();
    let mut scenes = "image,x,y,w,h,label,split\n".to_owned();
    for i in 0..100 {
        let (label, split) =
            (if i % 2 == 0 { "mask" } else { "no_mask" }, if i % 5 == 0 { "val" } else { "train" });
        let source = if i < 50 { "old" } else { "new" };
        faces += &format!("{source}/{i}.jpg,1,2,30,40,{label},{split},{source}\n");
        scenes +=
            &format!("street/{}.jpg,1,2,30,{},{label},{split}\n", i / 10 * 10, if i < 20 { 10 } else { 40 });
    }
    scenes += "street/1.jpg,1,2,30,30,incorrect,train\nstreet/1.jpg,1,2,30,30,incorrect,val\n";
    std::fs::write(folder.path().join("faces.csv"), faces).unwrap();
    std::fs::write(folder.path().join("scenes.csv"), scenes).unwrap();
    std::fs::write(folder.path().join("few.txt"), "old/1.jpg\n\nold/3.jpg\n").unwrap();
    folder
}

fn tree(count: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for class in ["mask", "no_mask"] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        for i in 0..count {
            image::RgbImage::new(8 + i, 9).save(folder.path().join(class).join(format!("{i}.png"))).unwrap();
        }
    }
    folder
}

#[test]
fn val_is_never_trained_on_and_pictures_stay_whole() {
    let folder = tables();
    let dataset = Dataset::load(folder.path(), &DatasetOptions::default()).unwrap();
    let rows = labels::read(&folder.path().join("faces.csv")).unwrap();
    for row in rows.iter().filter(|row| row.split == Split::Val) {
        let path = folder.path().join("images").join(&row.image);
        assert!(
            dataset.faces.iter().filter(|face| face.picture == path).all(|face| face.subset == Subset::Val)
        );
    }
    let of = |subset| -> BTreeSet<_> {
        dataset.subset(subset).into_iter().map(|index| dataset.faces[index].picture.clone()).collect()
    };
    assert!(of(Subset::Train).is_disjoint(&of(Subset::Selection)));
    let selected = |source: &str| {
        let inside = |face: &&DatasetFace| face.source == source && face.subset == Subset::Selection;
        dataset.faces.iter().filter(inside).count()
    };
    assert_eq!((selected("old"), selected("new")), (4, 4), "a tenth of 40 each");
    assert_eq!(dataset.chosen_by(), Subset::Selection);
}

#[test]
fn small_ones_are_left_out() {
    let folder = tables();
    let count = |options: DatasetOptions| Dataset::load(folder.path(), &options).unwrap().faces.len();
    assert_eq!(count(DatasetOptions::default()), 182);
    assert_eq!(count(DatasetOptions { min_side: 5.0, ..DatasetOptions::default() }), 202);
    assert_eq!(count(DatasetOptions { tables: vec!["faces.csv".into()], ..DatasetOptions::default() }), 100);
}

#[test]
fn weights_multiply_and_must_fit_something() {
    let folder = tables();
    let weights = vec![("scenes".into(), 3.0), ("old".into(), 0.5), ("few.txt".into(), 0.1)];
    let dataset =
        Dataset::load(folder.path(), &DatasetOptions { weights, ..DatasetOptions::default() }).unwrap();
    let weight = |name: &str| {
        let face = dataset.faces.iter().find(|face| face.picture.ends_with(name)).unwrap();
        face.weight
    };
    assert!((weight("old/1.jpg") - 0.05).abs() < 1e-12);
    assert!((weight("old/2.jpg") - 0.5).abs() < 1e-12);
    assert!((weight("new/60.jpg") - 1.0).abs() < 1e-12);
    assert!((weight("street/30.jpg") - 3.0).abs() < 1e-12);
    let weights = vec![("nowhere".into(), 1.0)];
    let error =
        Dataset::load(folder.path(), &DatasetOptions { weights, ..DatasetOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("faces, new, old, scenes, street"), "{error}");
}

#[test]
fn trees_are_split_by_class_the_same_way_each_time() {
    let folder = tree(10);
    let load =
        |seed| Dataset::load(folder.path(), &DatasetOptions { seed, ..DatasetOptions::default() }).unwrap();
    let dataset = load(3);
    assert_eq!(dataset, load(3));
    assert_ne!(dataset.faces, load(4).faces);
    assert_eq!(dataset.checksum(), load(3).checksum());
    assert_ne!(dataset.checksum(), load(4).checksum());
    assert_eq!(dataset.summary()["folder"]["val mask"], 2);
    assert_eq!(dataset.summary()["folder"]["train no_mask"], 8);
    assert_eq!(dataset.chosen_by(), Subset::Val);
    let largest = dataset.faces.iter().find(|face| face.picture.ends_with("mask/9.png")).unwrap();
    assert_eq!(largest.rect, Rect::new(0.0, 0.0, 17.0, 9.0));
}

#[test]
fn folders_that_cannot_be_used_say_why() {
    let message = |folder: &Path| Dataset::load(folder, &DatasetOptions::default()).unwrap_err().to_string();
    let empty = tempfile::tempdir().unwrap();
    assert!(message(empty.path()).contains("neither faces.csv"));
    assert!(message(tree(0).path()).contains("no face of class mask to put into train"));
    let broken = tree(5);
    std::fs::write(broken.path().join("mask/bad.jpg"), "no picture").unwrap();
    assert!(message(broken.path()).contains("bad.jpg"));
}
