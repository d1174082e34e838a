use residue_model::Recording;
use residue_model::recording::Code;
use residue_target::symbols::{ImageId, Lookup};

/// Names the code of a recording that has no names yet, as far as its files are still here and of the same build.
pub(crate) fn name(recording: &mut Recording) {
    let lookup = Lookup::from_env();
    for (index, module) in recording.modules.iter().enumerate() {
        let is_nameless = |code: &&mut Code| {
            code.places.is_empty() && code.module.is_some_and(|module| module as usize == index)
        };
        let mut nameless: Vec<&mut Code> = recording.calls.codes.iter_mut().filter(is_nameless).collect();
        // The vdso has no file.
        if nameless.is_empty() || module.path.is_empty() {
            continue;
        }
        let image = ImageId { path: module.path.clone().into(), build_id: module.build_id.clone() };
        // The call stands before the address that it returns to.
        let calls: Vec<u64> = nameless.iter().map(|code| code.address.saturating_sub(1)).collect();
        let named = lookup.name(&image, &calls);
        for (code, places) in nameless.iter_mut().zip(named.places) {
            code.places = places;
        }
        for gap in named.gaps {
            if !recording.gaps.contains(&gap) {
                recording.gaps.push(gap);
            }
        }
    }
}
