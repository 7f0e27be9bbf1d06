# The sources are merged as unoptimized modules, not by #include, so that static functions of one
# name in several files are no matter.
technique.unity.group   := modifier
technique.unity.help    := all sources compiled as one module, without LTO's linker; has a profile of its own
technique.unity.merge   := yes
technique.unity.needs   := llvm-link
technique.unity.trained := yes
