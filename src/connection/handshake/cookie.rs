//! The cookie that an initiator repeats.
//! spec: 7.9 cookies

use crate::config::COOKIES_MAX;
use crate::wire::long::Cookie;

/// The one in use, and what decides about the next.
#[derive(Debug)]
pub(crate) struct Cookies {
    current: Cookie,
    taken: u32,
    /// A timer fired since the last one was taken.
    has_waited: bool,
    /// A packet of the responder opened: cookies are over.
    is_over: bool,
}

impl Default for Cookies {
    fn default() -> Cookies {
        Cookies { current: Cookie::NONE, taken: 0, has_waited: false, is_over: false }
    }
}

impl Cookies {
    /// What level 0 and 2 packets carry.
    pub(crate) fn current(&self) -> Cookie {
        self.current
    }

    /// Takes a cookie if the rules allow: then the whole first flight goes again.
    pub(crate) fn take(&mut self, cookie: Cookie) -> bool {
        let is_second = self.taken > 0;
        let is_late = is_second && (!self.has_waited || cookie == self.current);
        if self.is_over || self.taken == COOKIES_MAX || is_late || cookie.is_empty() {
            return false;
        }
        (self.current, self.has_waited) = (cookie, false);
        self.taken += 1;
        true
    }

    /// Whether a packet of the responder opened, so that none is taken any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn on_timer(&mut self) {
        self.has_waited = true;
    }

    /// The responder answered with a packet that opened.
    pub(crate) fn on_opened(&mut self) {
        (self.is_over, self.current) = (true, Cookie::NONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(byte: u8) -> Cookie {
        Cookie::new(&[byte; 20]).expect("a length that cookies have")
    }

    // spec: 7.9 four an attempt; a second only if it differs and a timer fired since
    #[test]
    fn second_cookies_need_a_timer_and_other_bytes_and_four_are_all() {
        let mut cookies = Cookies::default();
        assert!(cookies.take(cookie(1)));
        assert!(!cookies.take(cookie(2)), "no timer fired");
        cookies.on_timer();
        assert!(!cookies.take(cookie(1)), "the same");
        for byte in 2..=4 {
            assert!(cookies.take(cookie(byte)));
            assert_eq!(cookies.current(), cookie(byte));
            assert!(!cookies.take(cookie(byte + 1)));
            cookies.on_timer();
        }
        assert!(!cookies.take(cookie(5)), "the fifth");
    }

    // spec: 4.6 only of an attempt that has received no packet that opened
    #[test]
    fn cookies_are_over_when_a_packet_opened() {
        let mut cookies = Cookies::default();
        assert!(cookies.take(cookie(1)));
        cookies.on_opened();
        cookies.on_timer();
        assert!(!cookies.take(cookie(2)));
        assert!(cookies.current().is_empty());
    }
}
