mkdir names
cd names
touch -- 'with space' '-dash' '--long=dash' '*star' '[bracket]' 'back\slash' 'quote"' "quote'" '$dollar' '#hash' 'tab	x'
touch "new
line" 'ü' '日本' "$(printf 'latin-\351')"
mkdir ' folder ' '...'
touch ' folder /x'
cd ..
touch -- -dash ü
