use residue_analysis::recorded::Frame;

/// What is no function.
pub(super) const ROOT: &str = "#c9cfd4";
/// Code that was made at run time.
const NO_MODULE: &str = "#d8d3b8";

/// A colour by the name of the module, the same in every picture; functions of a module differ in lightness. All are light
/// enough for dark letters.
pub(super) fn of(frame: &Frame) -> String {
    let Some(module) = frame.module_name() else { return NO_MODULE.to_owned() };
    let function = frame.function.as_deref().map_or(frame.address, hash);
    let hue = (hash(module) % 360) as f64;
    let light = 0.69 + (function % 8) as f64 * 0.015;
    let [red, green, blue] = rgb(hue, 0.62, light);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// FNV-1a, with its bits mixed: short names that differ in a letter shall differ in all of it.
fn hash(text: &str) -> u64 {
    let sum = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    sum ^ sum >> 29
}

/// A colour of a hue in degrees, a saturation and a lightness from 0 to 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 255")]
fn rgb(hue: f64, saturation: f64, light: f64) -> [u8; 3] {
    let reach = saturation * light.min(1.0 - light);
    [0.0, 8.0, 4.0].map(|offset: f64| {
        let at = (offset + hue / 30.0) % 12.0;
        let value = light - reach * (at - 3.0).min(9.0 - at).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    })
}
