//! Nodes of containers, told by the links that lead back to them.

use residue_model::{Address, Pieces, Range};

use super::BlockType;

/// Tree nodes begin with their colour, their parent and two children; list nodes with the next and the one before.
/// Source: libstdc++ `bits/stl_tree.h`, `bits/stl_list.h`.
pub(super) fn of(pieces: &Pieces<'_>, block: Range) -> Option<BlockType> {
    let at = block.start.0;
    let word = |at: u64| pieces.word(Address(at));
    let first = word(at)?;
    if block.size().0 >= 40 && first <= 1 {
        let parent = word(at + 8).filter(|&parent| parent != 0 && parent % 8 == 0)?;
        let children = [word(at + 16)?, word(at + 24)?];
        let leads_back = |child: u64| child == 0 || word(child.wrapping_add(8)) == Some(at);
        // The root's parent is the container, which has it for a parent in turn.
        let is_child = [8, 16, 24].into_iter().any(|link| word(parent.wrapping_add(link)) == Some(at));
        return (is_child && children.into_iter().all(leads_back)).then_some(BlockType::TreeNode);
    }
    if block.size().0 < 24 || first % 8 != 0 || first == 0 {
        return None;
    }
    let before = word(at + 8).filter(|&before| before != 0 && before % 8 == 0)?;
    let is_linked = first != at && word(first.wrapping_add(8)) == Some(at) && word(before) == Some(at);
    is_linked.then_some(BlockType::ListNode)
}
