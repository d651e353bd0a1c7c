//! The decimals of currencies, as ISO 4217 lists them: how many digits its minor unit has.

/// Each number of decimals with the currencies that have so many.
const LISTS: [(u32, &str); 4] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (
        2,
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP \
         BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR \
         FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR \
         KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR \
         MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK \
         SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN \
         UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ZWL",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

/// How many decimals a currency has, if its code is one of ISO 4217, in capitals.
pub fn decimals_of(code: &str) -> Option<u32> {
    let has = |codes: &str| codes.split_ascii_whitespace().any(|known| known == code);
    LISTS.iter().find(|(_, codes)| has(codes)).map(|(decimals, _)| *decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_is_listed_once() {
        let all = LISTS.iter().flat_map(|(_, codes)| codes.split_ascii_whitespace());
        let mut codes: Vec<&str> = all.collect();
        assert!(codes.iter().all(|code| code.len() == 3));
        let listed = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), listed);
        for (code, decimals) in [("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4)] {
            assert_eq!(decimals_of(code), Some(decimals));
        }
        for unknown in ["", "XXX", "jpy", "EUR USD", "BTC"] {
            assert_eq!(decimals_of(unknown), None, "{unknown}");
        }
    }
}
