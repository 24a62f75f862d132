//! Names of enum values, as users write them in the configuration and on the command line.

/// Gives an enum the tables `ALL` and `NAMES` and the functions `name` and `from_name`, all from one list. A
/// variant that is missing in the list does not compile. A field of a variant has the value written in the
/// list.
#[macro_export]
macro_rules! named {
    ($type:ident { $($variant:ident $({ $($field:ident: $value:expr),+ })? => $name:literal,)+ }) => {
        impl $type {
            /// Every value, in the order of this list.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant $({ $($field: $value),+ })?),+];

            /// Every value with its name.
            pub const NAMES: [(&'static str, Self); [$($name),+].len()] =
                [$(($name, Self::$variant $({ $($field: $value),+ })?)),+];

            /// Its name, as users write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant $({ $($field: _),+ })? => $name,)+
                }
            }

            /// The value called `name`, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
            }
        }
    };
}
pub(crate) use named;

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro is for public enums")]
mod tests {
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Shape {
        Point,
        Disc { radius: u8 },
    }

    named!(Shape {
        Point => "point",
        Disc { radius: 7 } => "disc",
    });

    #[test]
    fn names_and_values_belong_together() {
        assert_eq!(Shape::ALL, [Shape::Point, Shape::Disc { radius: 7 }]);
        assert_eq!(Shape::NAMES, [("point", Shape::Point), ("disc", Shape::Disc { radius: 7 })]);
        assert_eq!(Shape::Disc { radius: 1 }.name(), "disc");
        assert_eq!((Shape::from_name("disc"), Shape::from_name("square")), (Some(Shape::ALL[1]), None));
    }
}
