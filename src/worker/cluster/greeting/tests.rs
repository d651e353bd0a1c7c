//! Greetings between two of us, and with whatever bytes a stranger may send.

use super::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes()).expect("not empty")
}

fn me(process: usize) -> Introduction {
    let mut description = Description::default();
    description.add("--decimals", process);
    Introduction { process, purpose: Purpose::Control, description }
}

fn nonce(seed: u8) -> Nonce {
    std::array::from_fn(|i| seed ^ (i as u8).wrapping_mul(31))
}

/// A small generator, so that what fails can be tried again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Hands `bytes` over in pieces of random length, none longer than is wanted.
fn feed(
    side: &mut Greeting,
    mut bytes: &[u8],
    reply: &mut Vec<u8>,
    random: &mut Random,
) -> Result<Option<Introduction>, Stranger> {
    let mut who = None;
    while !bytes.is_empty() && side.wants() > 0 {
        let length = (1 + random.below(side.wants())).min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        who = side.take(piece, reply)?.or(who);
        bytes = rest;
    }
    Ok(who)
}

/// The four messages, from caller and listener in turn, and whom each took the other for.
#[allow(clippy::type_complexity)]
fn talk(
    caller: &str,
    listener: &str,
    change: impl Fn(usize, &mut Vec<u8>),
) -> (Vec<Vec<u8>>, [Result<Option<Introduction>, Stranger>; 2]) {
    let mut random = Random(7);
    let (mut one, mut bytes) = Greeting::call(&secret(caller), nonce(1), &me(1));
    let mut two = Greeting::listen(&secret(listener), nonce(2), &me(0));
    let (mut said, mut who) = (Vec::new(), [Ok(None), Ok(None)]);
    for turn in 0..4 {
        change(turn, &mut bytes);
        said.push(bytes.clone());
        let mut reply = Vec::new();
        let side = if turn % 2 == 0 { &mut two } else { &mut one };
        let heard = feed(side, &bytes, &mut reply, &mut random);
        match heard {
            Ok(None) => {}
            other => who[1 - turn % 2] = other,
        }
        if who.iter().any(Result::is_err) {
            said.push(reply);
            break;
        }
        bytes = reply;
    }
    (said, who)
}

#[test]
fn two_of_one_run_learn_who_the_other_is() {
    let (_, [at_caller, at_listener]) = talk("secret", "secret", |_, _| {});
    assert_eq!(at_listener, Ok(Some(me(1))));
    assert_eq!(at_caller, Ok(Some(me(0))));
}

#[test]
fn who_has_another_secret_hears_nothing() {
    let (said, [_, at_listener]) = talk("other", "secret", |_, _| {});
    assert_eq!(at_listener, Err(Stranger::Secret));
    assert_eq!(said.last().map(Vec::len), Some(0), "not one byte is answered");
}

#[test]
fn a_single_changed_bit_anywhere_is_noticed() {
    let (said, _) = talk("secret", "secret", |_, _| {});
    let mut random = Random(3);
    for (turn, message) in said.iter().enumerate() {
        for _ in 0..200 {
            let (at, bit) = (random.below(message.len()), random.below(8));
            let (_, who) = talk("secret", "secret", |now, bytes| {
                if now == turn {
                    bytes[at] ^= 1 << bit;
                }
            });
            let believed = who.iter().all(|w| matches!(w, Ok(Some(_))));
            assert!(!believed, "message {turn}, byte {at}, bit {bit}");
        }
    }
}

#[test]
fn what_was_heard_before_proves_nothing() {
    let (said, _) = talk("secret", "secret", |_, _| {});
    // Played to another conversation, whose listener has another nonce.
    let mut listener = Greeting::listen(&secret("secret"), nonce(9), &me(0));
    let mut reply = Vec::new();
    let mut random = Random(1);
    assert_eq!(feed(&mut listener, &said[0], &mut reply, &mut random), Ok(None));
    assert_eq!(reply.len(), NONCE + PROOF, "no word of the run");
    let heard = feed(&mut listener, &said[2], &mut reply, &mut random);
    assert_eq!(heard, Err(Stranger::Secret));
    // Sent back to where it came from.
    let (mut caller, hello) = Greeting::call(&secret("secret"), nonce(1), &me(1));
    assert_eq!(feed(&mut caller, &hello[8..], &mut reply, &mut random), Err(Stranger::Secret));
}

#[test]
fn no_bytes_of_a_stranger_are_believed_panic_or_take_memory() {
    let (said, _) = talk("secret", "secret", |_, _| {});
    let mut random = Random(11);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.below(300)).map(|_| random.below(256) as u8).collect();
        // Half of them begin as one of us would.
        if round % 2 == 0 {
            let known = &said[round % 4];
            let keep = random.below(known.len());
            bytes.splice(0..0, known[..keep].iter().copied());
        }
        let mut listener = Greeting::listen(&secret("secret"), nonce(5), &me(0));
        let (mut caller, _) = Greeting::call(&secret("secret"), nonce(6), &me(1));
        for side in [&mut listener, &mut caller] {
            let mut reply = Vec::new();
            let who = feed(side, &bytes, &mut reply, &mut random);
            assert!(!matches!(who, Ok(Some(_))), "round {round}");
            assert!(side.received.capacity() <= 2 * STEP, "round {round}");
        }
    }
}

#[test]
fn a_length_is_bounded_even_of_who_knows_the_secret() {
    let (_, [_, at_listener]) = talk("secret", "secret", |turn, bytes| {
        if turn == 2 {
            bytes[PROOF..PROOF + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        }
    });
    assert_eq!(at_listener, Err(Stranger::Other));
}
