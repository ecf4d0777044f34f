using System.Runtime.CompilerServices;

// No locals are zeroed behind our back: an error's sentence is made in 2 KiB of stack.
[module: SkipLocalsInit]
