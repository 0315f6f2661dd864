mkdir -p tree/shared/inner tree/closed
echo x > tree/private
echo x > tree/setuid
echo x > tree/setgid
echo x > tree/all
echo x > tree/none
chmod 0600 tree/private
chmod 4755 tree/setuid
chmod 2750 tree/setgid
chmod 0777 tree/all
chmod 0000 tree/none
chmod 1777 tree/shared
chmod 2775 tree/shared/inner
chmod 0700 tree/closed
