//! The live paths of a connection, or what there is for each of them.

use crate::id::PathId;

/// Paths that a connection of this node has at once. Whatever is about a path asks the set for it,
/// and what is about all of them goes through the set: more of them need another number here, ways
/// to come and go, and a choice of the current one.
pub(crate) const PATHS_LIVE: usize = 1;

/// One `T` for each live path, found by the path's id.
// spec: 12.1 path ids, 13.1 what belongs to a path
#[derive(Debug)]
pub(crate) struct Paths<T> {
    /// In place: every packet asks for one of them.
    members: [(PathId, T); PATHS_LIVE],
}

impl<T> Paths<T> {
    /// With the path of the handshake.
    pub(crate) fn new(first: T) -> Paths<T> {
        Paths { members: [(PathId::ZERO, first)] }
    }

    /// The path to send on.
    #[inline]
    pub(crate) fn current_id(&self) -> PathId {
        self.members[0].0
    }

    /// What there is for the path to send on.
    #[inline]
    pub(crate) fn current(&self) -> &T {
        &self.members[0].1
    }

    #[inline]
    pub(crate) fn current_mut(&mut self) -> &mut T {
        &mut self.members[0].1
    }

    /// What there is for a path; nothing if it is not live.
    #[inline]
    pub(crate) fn get(&self, id: PathId) -> Option<&T> {
        self.members.iter().find(|member| member.0 == id).map(|member| &member.1)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: PathId) -> Option<&mut T> {
        self.members.iter_mut().find(|member| member.0 == id).map(|member| &mut member.1)
    }

    /// The ids of all that are live.
    #[inline]
    pub(crate) fn ids(&self) -> [PathId; PATHS_LIVE] {
        std::array::from_fn(|slot| self.members[slot].0)
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PathId, &T)> {
        self.members.iter().map(|(id, member)| (*id, member))
    }

    #[inline]
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PathId, &mut T)> {
        self.members.iter_mut().map(|(id, member)| (*id, member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 12.1 path ids
    #[test]
    fn a_set_holds_the_path_of_the_handshake_and_sends_on_it() {
        let mut paths = Paths::new('a');
        assert_eq!((paths.current_id(), *paths.current()), (PathId::ZERO, 'a'));
        assert_eq!(paths.get_mut(PathId(2)), None, "it is not live");
        assert_eq!(paths.get(PathId(2)), None);
        paths.iter_mut().for_each(|(_, path)| *path = 'b');
        *paths.get_mut(PathId::ZERO).expect("it is live") = 'c';
        let all: Vec<_> = paths.iter().map(|(id, path)| (id, *path)).collect();
        assert_eq!(all, [(PathId::ZERO, 'c')]);
        assert_eq!(paths.ids(), [PathId::ZERO]);
    }
}
