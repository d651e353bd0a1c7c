//! How far countries are from each other: between their centroids, on a sphere. Rough by some
//! hundred kilometres, which is enough to tell a flight from the impossible.

use crate::text::Text;

/// ISO 3166 codes with latitude and longitude of the centroid, in degrees; in order of the codes.
const CENTROIDS: [(&str, f64, f64); 60] = [
    ("AE", 23.4, 53.8),
    ("AR", -38.4, -63.6),
    ("AT", 47.5, 14.6),
    ("AU", -25.3, 133.8),
    ("BE", 50.5, 4.5),
    ("BG", 42.7, 25.5),
    ("BR", -14.2, -51.9),
    ("CA", 56.1, -106.3),
    ("CH", 46.8, 8.2),
    ("CL", -35.7, -71.5),
    ("CN", 35.9, 104.2),
    ("CO", 4.6, -74.3),
    ("CY", 35.1, 33.4),
    ("CZ", 49.8, 15.5),
    ("DE", 51.2, 10.5),
    ("DK", 56.3, 9.5),
    ("EE", 58.6, 25.0),
    ("EG", 26.8, 30.8),
    ("ES", 40.5, -3.7),
    ("FI", 61.9, 25.7),
    ("FR", 46.2, 2.2),
    ("GB", 55.4, -3.4),
    ("GR", 39.1, 21.8),
    ("HK", 22.4, 114.1),
    ("HR", 45.1, 15.2),
    ("HU", 47.2, 19.5),
    ("ID", -0.8, 113.9),
    ("IE", 53.4, -8.2),
    ("IL", 31.0, 34.9),
    ("IN", 20.6, 79.0),
    ("IS", 65.0, -19.0),
    ("IT", 41.9, 12.6),
    ("JP", 36.2, 138.3),
    ("KE", 0.0, 37.9),
    ("KR", 35.9, 127.8),
    ("LT", 55.2, 23.9),
    ("LU", 49.8, 6.1),
    ("LV", 56.9, 24.6),
    ("MA", 31.8, -7.1),
    ("MT", 35.9, 14.4),
    ("MX", 23.6, -102.6),
    ("MY", 4.2, 102.0),
    ("NG", 9.1, 8.7),
    ("NL", 52.1, 5.3),
    ("NO", 60.5, 8.5),
    ("NZ", -40.9, 174.9),
    ("PH", 12.9, 121.8),
    ("PL", 51.9, 19.1),
    ("PT", 39.4, -8.2),
    ("RO", 45.9, 25.0),
    ("RS", 44.0, 21.0),
    ("SE", 60.1, 18.6),
    ("SG", 1.4, 103.8),
    ("SI", 46.2, 15.0),
    ("SK", 48.7, 19.7),
    ("TH", 15.9, 101.0),
    ("TR", 39.0, 35.2),
    ("UA", 48.4, 31.2),
    ("US", 37.1, -95.7),
    ("ZA", -30.6, 22.9),
];

fn centroid(country: &Text) -> Option<(f64, f64)> {
    let code = country.to_cow();
    let at = CENTROIDS.binary_search_by(|(other, ..)| (*other).cmp(&code)).ok()?;
    Some((CENTROIDS[at].1.to_radians(), CENTROIDS[at].2.to_radians()))
}

/// Whether a country is in the table.
pub fn is_known(country: &Text) -> bool {
    centroid(country).is_some()
}

/// Whole kilometres between two countries' centroids; `None` if one is not in the table.
pub fn distance(from: &Text, to: &Text) -> Option<i64> {
    // Most payments of a user come from one country.
    if from == to {
        return is_known(from).then_some(0);
    }
    let ((lat, lon), (lat2, lon2)) = (centroid(from)?, centroid(to)?);
    let half = |x: f64| (x / 2.0).sin().powi(2);
    let chord = half(lat2 - lat) + lat.cos() * lat2.cos() * half(lon2 - lon);
    Some((2.0 * 6371.0 * chord.clamp(0.0, 1.0).sqrt().asin()) as i64)
}

/// km/h for a way in these milliseconds, of which at least a minute is taken to have passed.
pub fn speed(kilometres: i64, millis: i64) -> i64 {
    kilometres.saturating_mul(3_600_000) / millis.max(60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_about_right() {
        assert!(CENTROIDS.is_sorted_by(|a, b| a.0 < b.0));
        let between = |a: &str, b: &str| distance(&Text::new(a), &Text::new(b));
        assert_eq!(between("DE", "DE"), Some(0));
        assert!((7_500..8_200).contains(&between("DE", "US").unwrap()));
        assert!((450..560).contains(&between("DE", "AT").unwrap()));
        assert_eq!(between("DE", "XX"), None);
        assert_eq!(speed(900, 3_600_000), 900);
    }
}
