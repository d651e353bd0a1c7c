//! What two processes say to each other before either believes the other: bytes in, bytes out, so
//! that it can be tried on whatever bytes a stranger may send.
//!
//! ```text
//! caller   → name of the protocol, nonce, proof        nothing is answered unless the proof is right
//! listener → nonce, proof over both nonces
//! caller   → proof over both nonces, introduction
//! listener → introduction
//! ```
//!
//! A proof is an HMAC-SHA-256 under the secret, over who says it (so that nothing can be sent back
//! to where it came from) and the nonces (so that nothing can be said again). An introduction is
//! under a key of this conversation. Bound: nothing is read or kept before it is proved but the
//! fixed beginning, and an introduction is at most `LIMIT` long.

use super::secret::Secret;
use crate::description::Description;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const MAGIC: [u8; 8] = *b"tidemil2";
const PROOF: usize = 32;
const NONCE: usize = 32;
/// The longest introduction.
const LIMIT: usize = 4 << 20;
/// How much room is made at once for what is still to come.
const STEP: usize = 4096;

/// Fresh random bytes.
pub(super) type Nonce = [u8; NONCE];

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// The dataflow's messages.
    Data,
    /// What the processes agree on.
    Control,
}

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Introduction {
    pub process: usize,
    pub purpose: Purpose,
    pub description: Description,
}

/// Why a conversation is over before it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// Speaks the protocol, but has another secret.
    Secret,
    /// Something else.
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Caller,
    Listener,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Hello,
    Answer,
    Proof,
    Length,
    Introduction(usize),
    Done,
}

/// One side of a conversation.
pub(super) struct Greeting {
    side: Side,
    stage: Stage,
    secret: Secret,
    mine: Nonce,
    theirs: Nonce,
    introduction: Vec<u8>,
    received: Vec<u8>,
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap_or_else(|_| unreachable!());
    parts.iter().for_each(|part| mac.update(part));
    mac
}

fn proof(key: &[u8], parts: &[&[u8]]) -> [u8; PROOF] {
    mac(key, parts).finalize().into_bytes().into()
}

/// In a time that does not tell how much of it is right.
fn proved(key: &[u8], parts: &[&[u8]], proof: &[u8]) -> bool {
    mac(key, parts).verify_slice(proof).is_ok()
}

impl Greeting {
    /// The side that calls, and the first bytes it sends.
    pub fn call(secret: &Secret, nonce: Nonce, me: &Introduction) -> (Greeting, Vec<u8>) {
        let hello = proof(secret.key(), &[b"tidemill caller hello", &nonce]);
        let first = [&MAGIC[..], &nonce, &hello].concat();
        (Greeting::new(Side::Caller, Stage::Answer, secret, nonce, me), first)
    }

    /// The side that is called.
    pub fn listen(secret: &Secret, nonce: Nonce, me: &Introduction) -> Greeting {
        Greeting::new(Side::Listener, Stage::Hello, secret, nonce, me)
    }

    fn new(side: Side, stage: Stage, secret: &Secret, mine: Nonce, me: &Introduction) -> Greeting {
        // Plain data: serialising it cannot fail.
        let introduction = serde_json::to_vec(me).unwrap_or_default();
        let secret = secret.clone();
        Greeting { side, stage, secret, mine, theirs: [0; NONCE], introduction, received: vec![] }
    }

    /// How many bytes may be read now, so that nothing is taken that comes after the greeting.
    pub fn wants(&self) -> usize {
        self.needs().saturating_sub(self.received.len()).min(STEP)
    }

    fn needs(&self) -> usize {
        match self.stage {
            Stage::Hello => MAGIC.len() + NONCE + PROOF,
            Stage::Answer => NONCE + PROOF,
            Stage::Proof => PROOF,
            Stage::Length => 4,
            Stage::Introduction(length) => length + PROOF,
            Stage::Done => 0,
        }
    }

    /// Takes what came, adds what is to be sent, and says who it is once that is known.
    pub fn take(
        &mut self,
        bytes: &[u8],
        reply: &mut Vec<u8>,
    ) -> Result<Option<Introduction>, Stranger> {
        self.received.extend_from_slice(bytes);
        // Whoever says something else in the beginning is not waited for.
        if self.stage == Stage::Hello {
            let seen = self.received.len().min(MAGIC.len());
            if self.received[..seen] != MAGIC[..seen] {
                return Err(Stranger::Other);
            }
        }
        if self.received.len() < self.needs() {
            return Ok(None);
        }
        let received = std::mem::take(&mut self.received);
        match self.stage {
            Stage::Hello => {
                let (nonce, hello) = received[MAGIC.len()..].split_at(NONCE);
                self.learn(nonce);
                let parts: [&[u8]; 2] = [b"tidemill caller hello", nonce];
                if !proved(self.secret.key(), &parts, hello) {
                    return Err(Stranger::Secret);
                }
                reply.extend(self.mine);
                reply.extend(self.say(b"tidemill listener", Side::Listener));
                self.stage = Stage::Proof;
            }
            Stage::Answer => {
                let (nonce, answer) = received.split_at(NONCE);
                self.learn(nonce);
                self.hear(b"tidemill listener", Side::Listener, answer)?;
                reply.extend(self.say(b"tidemill caller", Side::Caller));
                self.introduce(reply);
                self.stage = Stage::Length;
            }
            Stage::Proof => {
                self.hear(b"tidemill caller", Side::Caller, &received)?;
                self.stage = Stage::Length;
            }
            Stage::Length => {
                let length = received.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
                if length > LIMIT {
                    return Err(Stranger::Other);
                }
                self.stage = Stage::Introduction(length);
            }
            Stage::Introduction(length) => {
                let (text, proof) = received.split_at(length);
                let theirs: &[u8] = match self.side {
                    Side::Caller => b"listener",
                    Side::Listener => b"caller",
                };
                if !proved(&self.session(), &[theirs, text], proof) {
                    return Err(Stranger::Secret);
                }
                let who = serde_json::from_slice(text).map_err(|_| Stranger::Other)?;
                if self.side == Side::Listener {
                    self.introduce(reply);
                }
                self.stage = Stage::Done;
                return Ok(Some(who));
            }
            Stage::Done => {}
        }
        Ok(None)
    }

    fn learn(&mut self, nonce: &[u8]) {
        self.theirs.copy_from_slice(nonce);
    }

    /// The caller's nonce, then the listener's.
    fn nonces(&self) -> [&[u8]; 2] {
        match self.side {
            Side::Caller => [&self.mine, &self.theirs],
            Side::Listener => [&self.theirs, &self.mine],
        }
    }

    fn say(&self, words: &[u8], as_side: Side) -> [u8; PROOF] {
        debug_assert_eq!(self.side, as_side);
        let [caller, listener] = self.nonces();
        proof(self.secret.key(), &[words, caller, listener])
    }

    fn hear(&self, words: &[u8], from: Side, said: &[u8]) -> Result<(), Stranger> {
        debug_assert_ne!(self.side, from);
        let [caller, listener] = self.nonces();
        let right = proved(self.secret.key(), &[words, caller, listener], said);
        right.then_some(()).ok_or(Stranger::Secret)
    }

    /// The key of this conversation alone.
    fn session(&self) -> [u8; PROOF] {
        let [caller, listener] = self.nonces();
        proof(self.secret.key(), &[b"tidemill session", caller, listener])
    }

    fn introduce(&mut self, reply: &mut Vec<u8>) {
        let me: &[u8] = match self.side {
            Side::Caller => b"caller",
            Side::Listener => b"listener",
        };
        let text = std::mem::take(&mut self.introduction);
        reply.extend((text.len() as u32).to_be_bytes());
        reply.extend(&text);
        reply.extend(proof(&self.session(), &[me, &text]));
    }
}

#[cfg(test)]
mod tests;
