/// A row of numbers, as it stands in a file.
pub trait Row: Copy + Default {
    /// So many bytes a row.
    const SIZE: usize;

    /// Writes the row to the start of a slice.
    ///
    /// # Panics
    /// When the slice is shorter than a row.
    fn write(&self, to: &mut [u8]);

    /// Reads a row from the start of a slice.
    ///
    /// # Panics
    /// When the slice is shorter than a row.
    fn read(from: &[u8]) -> Self;
}

/// Numbers in the order in which they are declared.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[repr(C)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl $crate::file::Row for $name {
            const SIZE: usize = 0 $(+ size_of::<$kind>())*;

            fn write(&self, to: &mut [u8]) {
                let mut rest = to;
                $(
                    let (here, after) = rest.split_at_mut(size_of::<$kind>());
                    here.copy_from_slice(&self.$field.to_le_bytes());
                    rest = after;
                )*
                let _ = rest;
            }

            fn read(from: &[u8]) -> Self {
                let mut row = Self::default();
                let mut rest = from;
                $(
                    let (here, after) = rest.split_at(size_of::<$kind>());
                    row.$field = <$kind>::from_le_bytes(here.try_into().expect("split at its size"));
                    rest = after;
                )*
                let _ = rest;
                row
            }
        }
    )*};
}
pub(super) use rows;
