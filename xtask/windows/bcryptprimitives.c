/*
 * bcryptprimitives.dll for a Wine that has none, such as 8.0. The Rust standard library imports `ProcessPrng`
 * from it and a program that does not find it ends before `main`, without a word.
 */
#include <windows.h>

/* Lets `ULONG` name every length that is asked for at once. */
#define PIECE ((SIZE_T)1 << 30)

/* `RtlGenRandom`, under the name that advapi32 exports. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size)
{
    SIZE_T done = 0;

    while (done < size) {
        SIZE_T left = size - done;
        ULONG piece = (ULONG)(left < PIECE ? left : PIECE);

        if (!SystemFunction036(data + done, piece))
            return FALSE;
        done += piece;
    }
    return TRUE;
}
