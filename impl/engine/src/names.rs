//! Names for containers whose client gave none: an adjective and a scientist's surname.

use drydock_core::{Name, NameGrammar};

const ADJECTIVES: [&str; 64] = [
    "able", "amber", "ample", "astute", "awake", "bold", "brave", "brisk", "calm", "candid", "civil", "clear",
    "clever", "cosmic", "crisp", "curious", "daring", "deft", "eager", "early", "earnest", "exact", "fair", "fearless",
    "fluent", "frank", "gentle", "glad", "golden", "grand", "happy", "honest", "humble", "jolly", "keen", "kind",
    "lively", "loyal", "lucid", "lunar", "mellow", "merry", "mighty", "modest", "neat", "nimble", "noble", "patient",
    "placid", "polite", "proud", "quick", "quiet", "rapid", "ready", "serene", "sharp", "silent", "solar", "steady",
    "sunny", "vivid", "warm", "wise",
];

const SURNAMES: [&str; 64] = [
    "abel",
    "ampere",
    "archimedes",
    "babbage",
    "bell",
    "bohr",
    "boole",
    "bose",
    "brahe",
    "cantor",
    "carson",
    "cauchy",
    "church",
    "copernicus",
    "curie",
    "darwin",
    "descartes",
    "dijkstra",
    "dirac",
    "einstein",
    "euclid",
    "euler",
    "faraday",
    "fermat",
    "fermi",
    "feynman",
    "fourier",
    "franklin",
    "galileo",
    "galois",
    "gauss",
    "germain",
    "goedel",
    "hamilton",
    "hawking",
    "hilbert",
    "hooke",
    "hopper",
    "hypatia",
    "jacobi",
    "joliot",
    "kepler",
    "kovalevskaya",
    "lagrange",
    "laplace",
    "leibniz",
    "liskov",
    "lovelace",
    "maxwell",
    "meitner",
    "mendel",
    "newton",
    "noether",
    "pascal",
    "pasteur",
    "planck",
    "poincare",
    "ramanujan",
    "riemann",
    "shannon",
    "tesla",
    "turing",
    "volta",
    "wiles",
];

/// A made-up name; from the fourth try on with a digit, so that a daemon full of containers still finds one.
pub(crate) fn made_up(attempt: u32) -> Name {
    let mut random = [0; 3];
    // Without random bytes the name is a plain one; whether it is taken is checked anyway.
    let _ = getrandom::fill(&mut random);
    let pick = |table: &'static [&str; 64], byte: u8| table[usize::from(byte % 64)];
    let mut name = format!("{}_{}", pick(&ADJECTIVES, random[0]), pick(&SURNAMES, random[1]));
    if attempt >= 3 {
        name.push_str(&(u32::from(random[2]) + 256 * attempt).to_string());
    }
    Name::parse(&name, NameGrammar::LetterOrDigitFirst).expect("the tables hold letters only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_names_are_two_words_and_later_ones_end_in_a_number() {
        assert!(made_up(0).as_str().split('_').all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
        assert!(made_up(3).as_str().ends_with(|c: char| c.is_ascii_digit()));
    }
}
