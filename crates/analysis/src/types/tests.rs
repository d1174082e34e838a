use super::BlockType;
use crate::reachability::tests::image::{CONSTANTS, DATA, Image, NAMED_TABLE, Process};

const TABLE: u64 = CONSTANTS + 0x110;
const DESCRIPTION: u64 = CONSTANTS + 0x200;
const NAME: u64 = CONSTANTS + 0x300;

/// A table of functions with a description that has this name.
fn table(image: Image, name: &str) -> Image {
    image
        .word_at(TABLE - 8, DESCRIPTION)
        .word_at(TABLE, CONSTANTS + 0x1000)
        .word_at(DESCRIPTION + 8, NAME)
        .text_at(NAME, name)
}

fn type_of(process: &Process, name: &str) -> BlockType {
    process.with_types(|types| types.of(process.range(name)))
}

fn class(name: &str) -> BlockType {
    BlockType::Class(name.into())
}

#[test]
fn an_object_has_the_class_that_its_table_describes() {
    let of = |name: &str| {
        let image = Image::new().block("it", 40).word("it", 0, TABLE);
        type_of(&table(image, name).build(), "it")
    };

    assert_eq!(of("6Widget"), class("Widget"));
    assert_eq!(of("*6Widget"), class("Widget"), "the star says that the name is not unique");
    assert_eq!(of("6Widget").name(), "Widget");
}

/// What only looks like a description must not name anything: then the table itself is the name.
#[test]
fn a_table_without_a_name_is_told_by_its_place() {
    let of = |name: &str| {
        let image = Image::new().block("it", 40).word("it", 0, TABLE);
        type_of(&table(image, name).build(), "it")
    };
    let place = BlockType::Table("shop+0x110".into());

    assert_eq!(of("Widget"), place, "not mangled");
    assert_eq!(of("6Wid get"), place, "no name has a blank");
    assert_eq!(of(""), place);
    assert_eq!(place.name(), "object with a vtable at shop+0x110");
}

#[test]
fn a_symbol_names_a_table_without_description() {
    let process = Image::new().block("it", 40).word("it", 0, NAMED_TABLE).build();

    assert_eq!(type_of(&process, "it"), class("Symbol"));
}

/// Many words point at constants: texts, numbers. Only a table has 0 and a description in front of functions.
#[test]
fn a_pointer_to_a_constant_makes_no_object() {
    let of = |change: fn(Image) -> Image| {
        let image = table(Image::new().block("it", 40).word("it", 0, TABLE), "none");
        type_of(&change(image).build(), "it")
    };
    let is_object = |it: &BlockType| matches!(it, BlockType::Table(_) | BlockType::Class(_));

    assert!(is_object(&of(|image| image)));
    assert!(!is_object(&of(|image| image.word_at(TABLE - 16, 5))), "a part of an object is no block");
    assert!(!is_object(&of(|image| image.word_at(TABLE - 8, 3))), "no description");
    assert!(!is_object(&of(|image| image.word_at(TABLE, 0))), "no function");
    assert!(!is_object(&of(|image| image.word("it", 0, TABLE + 4))), "tables stand on words");
    assert!(!is_object(&of(|image| image.word("it", 0, DATA))), "what can be written is no constant");
}

/// A tree of three below its container's header, which stands among variables.
fn tree() -> Image {
    let header = DATA + 0x100;
    let image = Image::new().block("root", 56).block("left", 56).block("right", 56);
    let [root, left, right] = ["root", "left", "right"].map(|name| image.address(name));
    let node = |image: Image, name, colour, parent, children: [u64; 2]| {
        image.word(name, 0, colour).word(name, 8, parent).word(name, 16, children[0]).word(
            name,
            24,
            children[1],
        )
    };
    let image = image.word_at(header + 8, root).word_at(header + 16, left).word_at(header + 24, right);
    let image = node(image, "root", 1, header, [left, right]);
    node(node(image, "left", 0, root, [0, 0]), "right", 0, root, [0, 0])
}

#[test]
fn a_node_of_a_tree_is_known_by_those_that_lead_back_to_it() {
    let process = tree().build();

    for name in ["root", "left", "right"] {
        assert_eq!(type_of(&process, name), BlockType::TreeNode, "{name}");
    }
    let lonely = tree().word("left", 8, DATA + 0x800).build();
    assert_ne!(type_of(&lonely, "left"), BlockType::TreeNode, "its parent does not know it");
    assert_ne!(type_of(&lonely, "root"), BlockType::TreeNode, "its child does not know it");
    let coloured = tree().word("left", 0, 2).build();
    assert_ne!(type_of(&coloured, "left"), BlockType::TreeNode, "a node is red or black");
}

#[test]
fn a_node_of_a_list_is_known_by_its_neighbours() {
    let header = DATA + 0x100;
    let list = || {
        let image = Image::new().block("one", 24).block("other", 24);
        let (one, other) = (image.address("one"), image.address("other"));
        image
            .word_at(header, one)
            .word_at(header + 8, other)
            .word("one", 0, other)
            .word("one", 8, header)
            .word("other", 0, header)
            .word("other", 8, one)
    };

    let process = list().build();
    assert_eq!(type_of(&process, "one"), BlockType::ListNode);
    assert_eq!(type_of(&process, "other"), BlockType::ListNode);
    let broken = list().word("other", 8, header).build();
    assert_ne!(type_of(&broken, "one"), BlockType::ListNode, "the next does not lead back");
}

/// `type`, whose type is itself, and the type `dict`.
fn python(image: Image) -> (Image, u64) {
    let (meta, dict) = (DATA + 0x1000, DATA + 0x2000);
    let image = image.word_at(meta, 9).word_at(meta + 8, meta).word_at(meta + 24, NAME).text_at(NAME, "type");
    let image = image.word_at(dict, 1).word_at(dict + 8, meta).word_at(dict + 24, NAME + 0x20);
    (image.text_at(NAME + 0x20, "dict"), dict)
}

#[test]
fn an_object_of_python_has_the_name_of_its_type() {
    let of = |front: u64, references: u64| {
        let (image, dict) = python(Image::new().block("it", 72));
        type_of(&image.word("it", front, references).word("it", front + 8, dict).build(), "it")
    };
    let dict = BlockType::Python("dict".into());

    assert_eq!(of(0, 1), dict);
    assert_eq!(of(16, 1), dict, "behind the words of the collector of cycles");
    assert_eq!(of(0, 0xffff_ffff), dict, "immortal");
    assert_ne!(of(0, 0), dict, "nobody refers to it: it is no object any more");
    assert_ne!(of(8, 1), dict, "no object begins there");
    assert_eq!(dict.name(), "Python dict");
}

#[test]
fn a_type_of_python_needs_a_type_called_type() {
    let (image, dict) = python(Image::new().block("it", 72));
    let process = image.text_at(NAME, "tope").word("it", 0, 1).word("it", 8, dict).build();

    assert!(!matches!(type_of(&process, "it"), BlockType::Python(_)));
}

#[test]
fn what_is_no_object_is_told_by_its_bytes() {
    let process = Image::new()
        .block("text", 104)
        .block("zeros", 104)
        .text("text", "A letter to somebody who waited for it long enough to forget who wrote it.")
        .build();

    assert_eq!(type_of(&process, "text").name(), "text");
    assert_eq!(type_of(&process, "zeros").name(), "zeros");
    let preview = |name| process.with_types(|types| types.preview(process.range(name)));
    assert_eq!(preview("text").as_deref(), Some("A letter to somebody who waited for it long enou"));
    assert_eq!(preview("zeros"), None);
}

/// The block ends before the next one's text begins.
#[test]
fn a_preview_ends_with_its_block() {
    let process = Image::new()
        .block("it", 24)
        .block("next", 40)
        .text("it", "only this much")
        .text("next", "SECRET")
        .build();

    let preview = process.with_types(|types| types.preview(process.range("it")));

    assert_eq!(preview.as_deref(), Some("only this much"));
}
