//! Tokens of paths: those we gave the peer, and those it gave us.
// spec: 12.2 tokens

use crate::channel::Settled;
use crate::config::{ABANDONED_GAPS_MAX, PEER_TOKENS_MAX, TOKENS_AHEAD};
use crate::id::{PathId, Token};
use crate::time::Time;

/// The tokens of one connection.
#[derive(Debug)]
pub(super) struct Tokens {
    ours: Vec<Ours>,
    theirs: Vec<Theirs>,
    /// The next path ids to issue a token for, by parity.
    next: [u32; 2],
    /// Halves of path ids that were abandoned, by parity.
    abandoned: [Settled; 2],
    /// Most live paths (12.1).
    paths_max: u32,
}

#[derive(Debug, Clone, Copy)]
struct Ours {
    path: PathId,
    token: Token,
    is_acked: bool,
    /// When it is forgotten, once its path was abandoned.
    retire_at: Option<Time>,
}

#[derive(Debug, Clone, Copy)]
struct Theirs {
    path: PathId,
    token: Token,
    reset: Option<[u8; 16]>,
}

/// A rule of 12.2 was broken: PROTOCOL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenError;

impl Tokens {
    /// With the tokens of path 0, which were transport parameters.
    pub(super) fn new(
        ours: Token,
        theirs: Token,
        reset: Option<[u8; 16]>,
        paths_max: u32,
    ) -> Tokens {
        let path = PathId::ZERO;
        Tokens {
            ours: vec![Ours { path, token: ours, is_acked: true, retire_at: None }],
            theirs: vec![Theirs { path, token: theirs, reset }],
            next: [2, 1],
            abandoned: Default::default(),
            paths_max,
        }
    }

    /// The path for which a token is to be drawn next, so that the peer has enough unused ones.
    pub(super) fn wanted(&self) -> Option<PathId> {
        if self.ours.len() >= PEER_TOKENS_MAX {
            return None;
        }
        // Path 0 is live. Were only one path allowed, tokens for others would be no use.
        let ahead = TOKENS_AHEAD.min(self.paths_max as usize - 1);
        let count = |parity: u32| {
            let live = self.ours.iter().filter(|ours| ours.retire_at.is_none());
            live.filter(|ours| ours.path.0 != 0 && ours.path.0 % 2 == parity).count()
        };
        (0..2)
            .find(|parity| count(*parity) < ahead)
            .map(|parity| PathId(self.next[parity as usize]))
    }

    /// A token was drawn for the path that `wanted` named.
    pub(super) fn issue(&mut self, path: PathId, token: Token) {
        self.next[path.0 as usize % 2] = path.0 + 2;
        self.ours.push(Ours { path, token, is_acked: false, retire_at: None });
    }

    /// Our token for `path`, while it is to be known to the peer.
    pub(super) fn issued(&self, path: PathId) -> Option<Token> {
        let live = self.ours.iter().filter(|ours| ours.retire_at.is_none());
        live.into_iter().find(|ours| ours.path == path).map(|ours| ours.token)
    }

    /// Paths whose token is to be sent to the peer, and was not acknowledged.
    pub(super) fn on_acked(&mut self, path: PathId) {
        if let Some(ours) = self.ours.iter_mut().find(|ours| ours.path == path) {
            ours.is_acked = true;
        }
    }

    pub(super) fn is_acked(&self, path: PathId) -> bool {
        self.ours.iter().any(|ours| ours.path == path && ours.is_acked)
    }

    /// NEW_TOKEN.
    pub(super) fn receive(
        &mut self,
        path: PathId,
        token: Token,
        reset: [u8; 16],
    ) -> Result<(), TokenError> {
        if self.is_abandoned(path) {
            return Ok(());
        }
        let known = self.theirs.iter_mut().find(|one| one.path == path || one.token == token);
        if let Some(theirs) = known {
            if theirs.path != path || theirs.token != token {
                return Err(TokenError);
            }
            theirs.reset.get_or_insert(reset);
            return Ok(());
        }
        if self.theirs.len() >= PEER_TOKENS_MAX {
            return Err(TokenError);
        }
        self.theirs.push(Theirs { path, token, reset: Some(reset) });
        Ok(())
    }

    /// A path is over, or an id never opened: its tokens go, ours at `retire_at`. Whether it was
    /// not known to be; an error when ids are abandoned in no order.
    // spec: 12.10 abandoning
    pub(super) fn abandon(&mut self, path: PathId, retire_at: Time) -> Result<bool, TokenError> {
        let abandoned = &mut self.abandoned[path.0 as usize % 2];
        let is_new = abandoned.insert(u64::from(path.0 / 2), 1, 0);
        if abandoned.gaps() > ABANDONED_GAPS_MAX {
            return Err(TokenError);
        }
        if is_new {
            self.theirs.retain(|theirs| theirs.path != path);
            let ours = self.ours.iter_mut().filter(|ours| ours.path == path);
            ours.for_each(|ours| ours.retire_at = Some(retire_at));
        }
        Ok(is_new)
    }

    pub(super) fn is_abandoned(&self, path: PathId) -> bool {
        self.abandoned[path.0 as usize % 2].contains(u64::from(path.0 / 2))
    }

    /// A token of ours whose time is over.
    pub(super) fn pop_retired(&mut self, now: Time) -> Option<Token> {
        let at = self.ours.iter().position(|ours| ours.retire_at.is_some_and(|at| at <= now))?;
        Some(self.ours.swap_remove(at).token)
    }

    /// When the next one's is.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.ours.iter().filter_map(|ours| ours.retire_at).min()
    }

    /// Every token that packets for us may have.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = Token> {
        self.ours.iter().map(|ours| ours.token)
    }

    /// Whether `value` is what the peer sends when it lost the connection; in constant time.
    // spec: 14.5 stateless reset: meaning
    pub(super) fn matches_reset(&self, path: PathId, value: &[u8; 16]) -> bool {
        let theirs = self.theirs.iter().filter(|theirs| theirs.path == path);
        theirs
            .filter_map(|theirs| theirs.reset)
            .fold(false, |found, reset| found | crate::crypto::equal(&reset, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: PathId = PathId(4);

    // spec: 12.2 tokens
    #[test]
    fn the_peer_is_supplied_with_two_tokens_of_each_parity() {
        let mut tokens = tokens();
        let issued: Vec<u32> = std::iter::from_fn(|| {
            let path = tokens.wanted()?;
            tokens.issue(path, Token([path.0 as u8; 8]));
            Some(path.0)
        })
        .collect();
        assert_eq!(issued, [2, 4, 1, 3]);
        assert_eq!(tokens.abandon(PATH, Time::from_nanos(9)), Ok(true));
        assert_eq!(tokens.abandon(PATH, Time::from_nanos(9)), Ok(false));
        assert_eq!(tokens.wanted(), Some(PathId(6)), "another takes its place");
        assert_eq!(tokens.pop_retired(Time::from_nanos(8)), None);
        assert_eq!(tokens.pop_retired(Time::from_nanos(9)), Some(Token([4; 8])));
        assert_eq!(Tokens::new(Token([0; 8]), Token([9; 8]), None, 1).wanted(), None);
    }

    // spec: 12.2 tokens
    #[test]
    fn a_path_has_one_token_and_a_token_one_path() {
        let mut tokens = tokens();
        assert_eq!(tokens.receive(PATH, Token([1; 8]), [1; 16]), Ok(()));
        assert_eq!(tokens.receive(PATH, Token([1; 8]), [1; 16]), Ok(()), "repeated");
        assert_eq!(tokens.receive(PATH, Token([2; 8]), [1; 16]), Err(TokenError));
        assert_eq!(tokens.receive(PathId(6), Token([1; 8]), [1; 16]), Err(TokenError));
        assert_eq!(tokens.abandon(PathId(8), Time::ZERO), Ok(true));
        assert_eq!(tokens.receive(PathId(8), Token([1; 8]), [1; 16]), Ok(()), "ignored");
        for path in 10..10 + PEER_TOKENS_MAX as u32 - 2 {
            assert_eq!(tokens.receive(PathId(path), Token([path as u8; 8]), [1; 16]), Ok(()));
        }
        assert_eq!(tokens.receive(PathId(90), Token([90; 8]), [1; 16]), Err(TokenError));
    }

    // spec: 14.5 stateless reset: meaning
    #[test]
    fn a_reset_value_counts_for_its_path_until_retired() {
        let mut tokens = tokens();
        assert!(!tokens.matches_reset(PathId::ZERO, &[7; 16]));
        assert_eq!(tokens.receive(PathId::ZERO, Token([9; 8]), [7; 16]), Ok(()));
        assert!(tokens.matches_reset(PathId::ZERO, &[7; 16]));
        assert!(!tokens.matches_reset(PATH, &[7; 16]));
        assert_eq!(tokens.abandon(PathId::ZERO, Time::ZERO), Ok(true));
        assert!(!tokens.matches_reset(PathId::ZERO, &[7; 16]));
    }

    // spec: 12.10 abandoning
    #[test]
    fn ids_abandoned_in_no_order_are_bounded_and_so_are_tokens() {
        let mut tokens = tokens();
        let scattered = (1..).map(|step| tokens.abandon(PathId(4 * step), Time::ZERO));
        let errors = scattered.take(ABANDONED_GAPS_MAX + 1).filter(|one| one.is_err()).count();
        assert_eq!(errors, 1);
        let mut tokens = self::tokens();
        for step in 0..100 {
            while let Some(path) = tokens.wanted() {
                tokens.issue(path, Token([path.0 as u8; 8]));
            }
            assert_eq!(tokens.abandon(PathId(step + 1), Time::ZERO), Ok(true));
        }
        assert_eq!(tokens.all().count(), PEER_TOKENS_MAX);
    }

    fn tokens() -> Tokens {
        Tokens::new(Token([0; 8]), Token([9; 8]), None, 16)
    }
}
