# cmake -DIN=file -DOUT=file.cpp -DNAME=kName -P EmbedBinary.cmake: the bytes of a file as an array of the namespace qlathe.
file(READ "${IN}" hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," hex "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" hex "${hex}")
file(WRITE "${OUT}" "namespace qlathe {\n\nextern const unsigned char ${NAME}[];\nextern const unsigned long ${NAME}Bytes;\nconst unsigned char ${NAME}[] = {\n${hex}};\nconst unsigned long ${NAME}Bytes = ${bytes};\n\n}  // namespace qlathe\n")
