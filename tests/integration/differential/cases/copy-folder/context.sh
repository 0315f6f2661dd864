mkdir -p folder/inner/deep folder/empty/empty
echo file > folder/file
echo deep > folder/inner/deep/file
echo hidden > folder/.hidden
