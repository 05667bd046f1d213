//! Values that are handed on with a request, one of each type.

use std::any::Any;

/// The values, in no order. There are few: they are looked for one after another, and none of them is an
/// allocation.
#[derive(Debug, Default)]
pub(super) struct Extensions(Vec<Box<dyn Any + Send>>);

impl Extensions {
    /// Adds `value`; the one of its type that was there before comes back.
    pub(super) fn insert<T: Send + 'static>(&mut self, value: T) -> Option<T> {
        match self.0.iter_mut().find_map(|found| found.downcast_mut()) {
            Some(found) => Some(std::mem::replace(found, value)),
            None => {
                self.0.push(Box::new(value));
                None
            }
        }
    }

    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.iter().find_map(|found| found.downcast_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct User(&'static str);

    #[test]
    fn there_is_one_value_of_each_type() {
        let mut extensions = Extensions::default();
        assert_eq!(extensions.get::<User>(), None);
        assert_eq!(extensions.insert(User("a")), None);
        assert_eq!(extensions.insert(7_u8), None);
        assert_eq!(extensions.insert(User("b")), Some(User("a")));
        assert_eq!(extensions.get(), Some(&User("b")));
        assert_eq!((extensions.get(), extensions.get::<u16>()), (Some(&7_u8), None));
    }

    #[test]
    fn debug_shows_no_value() {
        let mut extensions = Extensions::default();
        extensions.insert(User("secret"));
        assert!(!format!("{extensions:?}").contains("secret"));
    }
}
